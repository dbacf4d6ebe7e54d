import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection, Engine } from "./engine.ts";
import type { Packet } from "./packets.ts";
import { slowReaders } from "./slow-readers.ts";

const MIB = 1024 * 1024;
const addressOf = (request: unknown) => request as string;

interface Waiting {
	address?: string;
	/** How many packets wait for the transport, and of which length. */
	packets?: number;
	bytes?: number;
	/** What the transport has taken, and the kernel has not. */
	written?: number;
}

const packetOf = (bytes: number): Packet => ({ data: "x".repeat(bytes) });

/** Clients by WebSocket, and the numbers of those that the task closes. */
function open(clients: Waiting[]) {
	let closed: number[] = [];
	const connections = clients.map(({ address: request = "a", packets = 0, bytes = 1, written = 0 }, n) => ({
		request,
		readyState: "open",
		transport: { name: "websocket", writable: packets + written === 0, socket: { bufferedAmount: written } },
		writeBuffer: Array<Packet>(packets).fill(packetOf(bytes)),
		close: () => closed.push(n)
	})) as unknown as Connection[];
	const close = slowReaders(addressOf);
	const closedAt = (nowMs: number) => {
		closed = [];
		close({ clients: { ...connections } } as unknown as Engine, nowMs);
		return closed.sort((a, b) => a - b);
	};
	return { connections, closedAt };
}

/** The numbers of the clients that are closed, of clients at these addresses with so many waiting packets. */
const closedOf = (clients: [address: string, packets: number][]) =>
	open(clients.map(([address, packets]) => ({ address, packets }))).closedAt(0);

describe("slow readers of Socket.IO", () => {
	it("are closed when more than 4,096 packets wait for one of them", () => {
		assert.deepEqual(
			closedOf([
				["a", 4_097],
				["a", 4_096],
				["b", 0],
				["b", 10_000]
			]),
			[0, 3]
		);
	});

	it("are closed, the slowest first, when more than 64 times as many wait for their address", () => {
		const many = Array.from({ length: 100 }, (_, n): [string, number] => ["a", 3_000 + n]);
		const closed = closedOf([...many, ["b", 4_000]]);
		// The 86 fastest have 261,655 together; the limit is 262,144.
		assert.deepEqual(
			closed,
			Array.from({ length: 14 }, (_, n) => 86 + n)
		);
	});

	it("are closed when more than 8 MiB wait for one of them, for the transport and in it", () => {
		const { closedAt } = open([
			{ packets: 8, bytes: MIB },
			{ packets: 8, bytes: MIB, written: 1 },
			{ written: 8 * MIB },
			{ written: 8 * MIB + 1 }
		]);
		assert.deepEqual(closedAt(0), [1, 3]);
	});

	it("are closed, the slowest first, when more than 64 MiB wait for their address", () => {
		const many = Array.from({ length: 14 }, (_, n) => ({ written: 5 * MIB + n }));
		const { closedAt } = open([...many, { address: "b", written: 8 * MIB }]);
		assert.deepEqual(closedAt(0), [12, 13]);
	});

	it("are closed when they have read nothing for 30 s, also if further packets are sent to them", () => {
		const { connections, closedAt } = open([{ written: 1 }, { packets: 1 }, {}]);
		assert.deepEqual(closedAt(0), []);
		for (const client of connections) client.writeBuffer.push(packetOf(1));
		assert.deepEqual(closedAt(25_000), []);
		assert.deepEqual(closedAt(30_000), []);
		// Packets wait for the last one since 25,000.
		assert.deepEqual(closedAt(30_001), [0, 1]);
	});

	it("stay while they read some packets every 30 s, or all", () => {
		const { connections, closedAt } = open([{ packets: 1 }, { packets: 1 }]);
		const [reading, emptied] = connections as [Connection, Connection];
		for (let second = 0; second < 300; second++) {
			reading.writeBuffer.push(packetOf(1));
			if (second % 29 === 0) reading.writeBuffer = [packetOf(1)];
			const isEmpty = second % 29 === 0;
			emptied.writeBuffer = isEmpty ? [] : [packetOf(1)];
			emptied.transport.writable = isEmpty;
			assert.deepEqual(closedAt(second * 1_000), [], `after ${second} s`);
		}
	});
});
