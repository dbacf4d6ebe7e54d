import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WebSocket } from "ws";
import { WaitingBytes } from "../limits/waiting-bytes.ts";
import { socketCounters } from "../metrics.ts";
import { createClient } from "./client.ts";

/** A connection whose kernel buffer is full for good. */
function slowReader(waiting: WaitingBytes) {
	const socket = { readyState: 1, OPEN: 1, bufferedAmount: 64 * 1024 + 1, terminated: false };
	const terminate = () => {
		socket.readyState = 3;
		socket.terminated = true;
	};
	return {
		socket,
		client: createClient(Object.assign(socket, { terminate }) as unknown as WebSocket, socketCounters(), waiting)
	};
}

const frame = { code: "purchase", data: { id: "x".repeat(60_000) } };
const FRAME_BYTES = JSON.stringify(frame).length;
/** Together less than 1 MiB. */
const FRAMES = 15;

describe("clients that do not read", () => {
	it("are disconnected one by one while more than 64 MiB wait for their address, although each has less than 1 MiB", () => {
		const [waiting, elsewhere] = [new WaitingBytes(), new WaitingBytes()];
		const readers = Array.from({ length: 100 }, () => slowReader(waiting));
		const other = slowReader(elsewhere);
		const fill = ({ client }: { client: typeof other.client }) => {
			for (let n = 0; n < FRAMES; n++) client.send(frame);
		};
		for (const reader of readers) {
			fill(reader);
			// What the closed socket's session does.
			if (reader.socket.terminated) reader.client.release();
		}
		fill(other);
		const kept = readers.filter(({ socket }) => !socket.terminated).length;
		assert.equal(kept, Math.floor((64 * 1024 * 1024) / (FRAMES * FRAME_BYTES)));
		assert.equal(other.socket.terminated, false);
	});

	it("count for their address only as long as their frames wait", () => {
		const waiting = new WaitingBytes();
		for (let n = 0; n < 200; n++) {
			const { client, socket } = slowReader(waiting);
			for (let sent = 0; sent < FRAMES; sent++) client.send(frame);
			assert.equal(socket.terminated, false, `socket ${n}`);
			client.release();
		}
	});
});
