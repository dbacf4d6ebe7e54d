// What a Socket.IO client may send: checked before Socket.IO parses it, and counted by its size.

import { exceededLimit, textErrors } from "../../../mixins/json-text.ts";
import { startedKiB } from "../../../mixins/limits/token-bucket.ts";

/** Engine.IO's packet; `data`: text, bytes, or undefined. */
export interface Packet {
	data?: unknown;
}

/** The packets of one polling request arrive in one turn of the event loop: at most this many are handled, or other clients wait. */
export const MAX_PACKETS_PER_TURN = 256;

const REPLACEMENT = "\ufffd";

/** The JSON in a packet of Socket.IO, behind its type, namespace and id; undefined if there is none. */
function jsonIn(text: string): unknown {
	try {
		return JSON.parse(text.slice(text.search(/[[{]/)));
	} catch {
		return undefined;
	}
}

/**
 * Whether Socket.IO may parse a packet: text as it was sent, within `JSON_LIMITS`. No event of a client carries bytes. Engine.IO replaces what is not UTF-8 in
 * a polling request by U+FFFD, so that character is refused.
 */
export function isAcceptable({ data }: Packet): boolean {
	if (data === undefined) return true;
	if (typeof data !== "string" || data.includes(REPLACEMENT)) return false;
	return !exceededLimit(data) && textErrors(data, jsonIn(data)).length === 0;
}

/** The number of frames that a packet counts as. */
export const costOf = ({ data }: Packet): number => (typeof data === "string" ? startedKiB(Buffer.byteLength(data)) : 1);
