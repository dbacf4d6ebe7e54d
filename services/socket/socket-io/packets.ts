// What a Socket.IO client may send: checked before Socket.IO parses it, and counted by its size.

import { exceededLimit, mayHaveTextErrors, textErrors } from "../../../mixins/json-text.ts";
import { startedKiB } from "../../../mixins/limits/token-bucket.ts";

/** Engine.IO's packet; `data`: text, bytes, or undefined. */
export interface Packet {
	data?: unknown;
}

/** The packets of one polling request arrive in one turn of the event loop: at most this many are handled, or other clients wait. */
export const MAX_PACKETS_PER_TURN = 1_000;

const REPLACEMENT = "\ufffd";
const NO_BYTES = Buffer.alloc(0);

/** The JSON in a packet of Socket.IO, behind its type, namespace and id; undefined if there is none. */
function jsonIn(text: string): unknown {
	try {
		return JSON.parse(text.slice(text.search(/[[{]/)));
	} catch {
		return undefined;
	}
}

/**
 * Whether Socket.IO may parse a packet: text as it was sent, within `JSON_LIMITS`, or bytes. In a polling request Engine.IO replaces what is not UTF-8 by
 * U+FFFD, so that character is refused there; in a WebSocket ws has checked the text.
 */
export function isAcceptable({ data }: Packet, isPolling: boolean): boolean {
	if (typeof data !== "string") return true;
	if ((isPolling && data.includes(REPLACEMENT)) || exceededLimit(data)) return false;
	return !mayHaveTextErrors(data) || textErrors(data, jsonIn(data)).length === 0;
}

/** Drops the bytes of a packet. No event reads them, and Socket.IO keeps up to ten such packets of a client until their event is complete. */
export function dropBytes(packet: Packet) {
	if (Buffer.isBuffer(packet.data)) packet.data = NO_BYTES;
}

/** The size of a packet's data. */
export const bytesOf = ({ data }: Packet): number =>
	typeof data === "string" || Buffer.isBuffer(data) ? Buffer.byteLength(data) : 0;

/** The number of frames that a packet counts as. */
export const costOf = (packet: Packet): number => startedKiB(bytesOf(packet));
