// What is sent on a connection of Socket.IO: how much it counts as, and when it has left this process.
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { Connection } from "./engine.ts";
import { costOf, type Packet } from "./packets.ts";

const WRITE_WITHIN_MS = 1_000;
const CHECK_WRITTEN_EVERY_MS = 5;

/** The number of frames that the packets count as which `send` sends. */
export function framesOf(connection: Connection, send: () => void): number {
	let frames = 0;
	const count = (packet: Packet) => {
		frames += costOf(packet);
	};
	connection.on("packetCreate", count);
	send();
	connection.off("packetCreate", count);
	return frames;
}

/** Whether the kernel has not taken all that was sent: the rest is in this process' memory. */
export const isWriting = ({ readyState, writeBuffer, transport }: Connection) =>
	readyState !== "closed" && (writeBuffer.length > 0 || (transport.name === "websocket" && !transport.writable));

/** Resolves to true once the kernel has taken what was sent, or the connection is closed; to false after `WRITE_WITHIN_MS`. */
export async function written(connection: Connection): Promise<boolean> {
	const endMs = performance.now() + WRITE_WITHIN_MS;
	await nextTurn();
	while (isWriting(connection) && performance.now() < endMs) await delay(CHECK_WRITTEN_EVERY_MS);
	return !isWriting(connection);
}
