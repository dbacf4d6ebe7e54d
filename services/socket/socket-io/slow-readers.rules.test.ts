import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine } from "./engine.ts";
import { closeSlowReaders } from "./slow-readers.ts";

const addressOf = (request: unknown) => request as string;

/** The numbers of the clients that are closed, of clients at these addresses with so many waiting packets. */
function closedOf(clients: [address: string, packets: number][]) {
	const closed: number[] = [];
	const connections = clients.map(([request, length], n) => [
		n,
		{ request, writeBuffer: { length }, close: () => closed.push(n) }
	]);
	closeSlowReaders({ clients: Object.fromEntries(connections) } as unknown as Engine, addressOf);
	return closed.sort((a, b) => a - b);
}

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
});
