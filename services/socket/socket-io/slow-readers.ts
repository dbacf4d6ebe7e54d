// Closes the Socket.IO connections whose clients do not read: their packets wait in this process' memory. The ping timeout does not suffice, because a
// client may send pongs without reading the pings.
import type { IncomingMessage } from "node:http";
import type { Connection, Engine } from "./engine.ts";
import { bytesOf } from "./packets.ts";
import { isWriting } from "./sent-packets.ts";

/** However short, each takes some hundred bytes. */
const MAX_WAITING_PACKETS = 4_096;
/** For all clients of one address together. */
const MAX_WAITING_PACKETS_PER_ADDRESS = 64 * MAX_WAITING_PACKETS;
/** The largest snapshot, and the events after it. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** As much as the clients of /ws at one address may use. */
const MAX_WAITING_BYTES_PER_ADDRESS = 64 * 1024 * 1024;
/** As for an HTTP response. */
const READ_WITHIN_MS = 30_000;

interface Limit {
	waitingOf(connection: Connection): number;
	max: number;
	maxPerAddress: number;
}

const LIMITS: readonly Limit[] = [
	{
		waitingOf: ({ writeBuffer }) => writeBuffer.length,
		max: MAX_WAITING_PACKETS,
		maxPerAddress: MAX_WAITING_PACKETS_PER_ADDRESS
	},
	{
		waitingOf: ({ writeBuffer, transport }) =>
			writeBuffer.reduce((sum, packet) => sum + bytesOf(packet), transport.socket?.bufferedAmount ?? 0),
		max: MAX_WAITING_BYTES,
		maxPerAddress: MAX_WAITING_BYTES_PER_ADDRESS
	}
];

/** Closes the slowest clients of an address until the others are within the limit; returns the others. */
function closeAbove(ofAddress: Connection[], { waitingOf, max, maxPerAddress }: Limit): Connection[] {
	const slowestFirst = ofAddress.map(client => ({ client, own: waitingOf(client) })).sort((a, b) => b.own - a.own);
	let all = slowestFirst.reduce((sum, { own }) => sum + own, 0);
	let closed = 0;
	for (const { client, own } of slowestFirst) {
		if (own <= max && all <= maxPerAddress) break;
		all -= own;
		client.close(true);
		closed++;
	}
	return slowestFirst.slice(closed).map(({ client }) => client);
}

/** Returns the periodic task: it closes the connections for which too much waits, or for which packets wait and none was taken for 30 s. */
export function slowReaders(addressOf: (request: IncomingMessage) => string) {
	/** Since when nothing was taken of what waits. `oldest`: the first packet that the transport has not taken; undefined: it has taken all. */
	let waits = new Map<Connection, { oldest: unknown; sinceMs: number }>();

	return ({ clients }: Pick<Engine, "clients">, nowMs = performance.now()) => {
		const waiting = Object.values(clients).filter(isWriting);
		const before = waits;
		waits = new Map();
		for (const client of waiting) {
			const known = before.get(client);
			const [oldest] = client.writeBuffer;
			// The transport takes packets once it has written all earlier ones.
			const isStuck = known && (known.oldest === undefined || known.oldest === oldest);
			waits.set(client, { oldest, sinceMs: isStuck ? known.sinceMs : nowMs });
		}
		const isOverdue = (client: Connection) => nowMs - waits.get(client)!.sinceMs > READ_WITHIN_MS;
		for (const client of waiting.filter(isOverdue)) client.close(true);
		const others = waiting.filter(client => !isOverdue(client));
		for (const ofAddress of Map.groupBy(others, ({ request }) => addressOf(request)).values())
			LIMITS.reduce(closeAbove, ofAddress);
	};
}
