import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Peer, Peers } from "../limits/peers.ts";
import { socketIoAuth } from "./auth.ts";
import type { Connection } from "./engine.ts";

/** A connection whose packets are counted; `frames`: how many its client may send. */
function open(frames = Number.POSITIVE_INFINITY) {
	const state = { closed: 0, left: frames };
	const take = (count = 1) => {
		state.left -= count;
		return state.left >= 0;
	};
	const peer = { take, holder: undefined, disconnect() {} } as unknown as Peer;
	const connection = Object.assign(new EventEmitter(), {
		request: { socket: { remoteAddress: "192.0.2.1" }, headers: {} },
		transport: { name: "polling" },
		close: () => state.closed++
	});
	const { count } = socketIoAuth({ guests: true, isTrusted: () => false });
	count(connection as unknown as Connection, { connect: () => peer } as unknown as Peers);
	const send = (packets: number, data?: unknown) => {
		for (let n = 0; n < packets; n++) connection.emit("packet", { data });
	};
	return { state, send };
}

describe("a connection of Socket.IO", () => {
	it("is closed by packet 1,001 in one turn of the event loop, and not by as many in several turns", async () => {
		const { state, send } = open();
		for (let turns = 0; turns < 3; turns++) {
			send(1_000);
			assert.equal(state.closed, 0);
			await nextTurn();
		}
		send(1_001);
		assert.equal(state.closed, 1);
	});

	it("is closed by a packet that is larger than what its client may send, and by one that Socket.IO must not parse", () => {
		const flood = open(2);
		flood.send(1, "x".repeat(2_048));
		assert.equal(flood.state.closed, 0);
		flood.send(1, "x");
		assert.equal(flood.state.closed, 1);
		const replaced = open();
		replaced.send(1, '2["a\ufffd"]');
		assert.equal(replaced.state.closed, 1);
	});
});
