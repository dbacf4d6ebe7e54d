import type { Engine } from "./engine.ts";

/** With events of usual length they take about as much memory as a client of /ws may use. */
const MAX_WAITING_PACKETS = 4_096;

/** Closes the connections whose clients do not read: without it their packets would wait until a ping has timed out, however many they are. */
export function closeSlowReaders({ clients }: Engine) {
	for (const client of Object.values(clients)) if (client.writeBuffer.length > MAX_WAITING_PACKETS) client.close(true);
}
