import type { IncomingMessage } from "node:http";
import type { Connection, Engine } from "./engine.ts";

/** With events of usual length they take about as much memory as a client of /ws may use. */
const MAX_WAITING_PACKETS = 4_096;
/** For all clients of one address together. */
const MAX_WAITING_PACKETS_PER_ADDRESS = 64 * MAX_WAITING_PACKETS;

const waitingOf = ({ writeBuffer }: Connection) => writeBuffer.length;

/**
 * Closes the connections whose clients do not read: without it their packets would wait until a ping has timed out, however many they are. Of an
 * address for which too many wait, the slowest are closed until few enough are left.
 */
export function closeSlowReaders({ clients }: Pick<Engine, "clients">, addressOf: (request: IncomingMessage) => string) {
	const waiting = Object.values(clients).filter(client => waitingOf(client) > 0);
	for (const ofAddress of Map.groupBy(waiting, ({ request }) => addressOf(request)).values()) {
		let packets = ofAddress.reduce((sum, client) => sum + waitingOf(client), 0);
		for (const client of ofAddress.sort((a, b) => waitingOf(b) - waitingOf(a))) {
			const own = waitingOf(client);
			if (own <= MAX_WAITING_PACKETS && packets <= MAX_WAITING_PACKETS_PER_ADDRESS) break;
			packets -= own;
			client.close(true);
		}
	}
}
