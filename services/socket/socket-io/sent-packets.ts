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

/** Resolves once the kernel has taken what was sent: until then it is in this process' memory. At the latest after `WRITE_WITHIN_MS`. */
export async function written(connection: Connection) {
	const isWriting = () => {
		const { readyState, writeBuffer, transport } = connection;
		return readyState === "open" && (writeBuffer.length > 0 || (transport.name === "websocket" && !transport.writable));
	};
	const endMs = performance.now() + WRITE_WITHIN_MS;
	await nextTurn();
	while (isWriting() && performance.now() < endMs) await delay(CHECK_WRITTEN_EVERY_MS);
}
