import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Logger, ServiceBroker } from "moleculer";
import { unavailable } from "../../mixins/errors.ts";
import { eventually } from "../../test/client.ts";
import type { Caller } from "../define-service.ts";
import { forwarder } from "./forward.ts";
import { localPresence, type Presence } from "./presence/presence.ts";
import type { RoomMessage } from "./socket.contract.ts";

const messageFor = (room: string): RoomMessage => ({ topic: "T", room, indexes: [0], message: { n: 1 }, headers: {} });

function setUp(
	nodes: Record<string, string[]>,
	answer: (node: string) => Promise<null>,
	expected: boolean | (() => boolean) = true
) {
	const here: RoomMessage[] = [];
	const calls: { node: string; missed: boolean; rooms: string[] }[] = [];
	const presence: Presence = {
		...localPresence("me"),
		nodesOf: async rooms => new Map(rooms.map(room => [room, nodes[room] ?? []])),
		isExpected: async () => (typeof expected === "function" ? expected() : expected)
	};
	const caller = {
		call: async (
			_: string,
			{ deliveries, missed }: { deliveries: RoomMessage[]; missed: boolean },
			{ nodeID }: { nodeID: string }
		) => {
			calls.push({ node: nodeID, missed, rooms: deliveries.map(({ room }) => room) });
			return answer(nodeID);
		}
	} as unknown as Caller;
	const deliver = (message: RoomMessage) => here.push(message);
	const logger = new ServiceBroker({ logger: false }).getLogger("test") as Logger;
	return { forward: forwarder({ nodeID: "me", deliver, presence, caller, logger }), here, calls };
}

describe("forwarding", () => {
	it("delivers on this node at once, and sends every other node only its own messages", async () => {
		const { forward, here, calls } = setUp({ x: ["me", "two"], y: ["two"], z: ["three"], nobody: [] }, async () => null);
		const forwarded = forward(["x", "y", "z", "nobody"].map(messageFor));
		assert.deepEqual(
			here.map(({ room }) => room),
			["x", "y", "z", "nobody"]
		);
		await forwarded;
		assert.deepEqual(
			calls.sort((a, b) => (a.node < b.node ? -1 : 1)).map(({ node, rooms }) => [node, rooms]),
			[
				["three", ["z"]],
				["two", ["x", "y"]]
			]
		);
	});

	it("retries until a node answers that can be expected to", async () => {
		let failures = 3;
		const { forward, calls } = setUp({ x: ["two"] }, async () => (failures-- > 0 ? Promise.reject(unavailable("two")) : null));
		await forward([messageFor("x")]);
		assert.equal(calls.length, 4);
	});

	it("stops waiting for a dead node, and makes its clients reconnect when it answers again", async () => {
		let isGone = true;
		const { forward, calls } = setUp({ x: ["two"] }, async () => (isGone ? Promise.reject(unavailable("two")) : null), false);
		await forward([messageFor("x")]);
		isGone = false;
		await forward([messageFor("x")]);
		await eventually(() => assert.equal(calls.length, 3), "the call to reconnect");
		await setImmediate();
		await forward([messageFor("x")]);
		assert.deepEqual(
			calls.map(({ missed }) => missed),
			[false, true, true, false]
		);
	});

	it("makes the clients of a node that is back reconnect without waiting for another message", async () => {
		let [isExpected, failures] = [false, 4];
		const answer = async () => (failures-- > 0 ? Promise.reject(unavailable("two")) : null);
		const { forward, calls } = setUp({ x: ["two"] }, answer, () => isExpected);
		await forward([messageFor("x")]);
		isExpected = true;
		await forward([messageFor("x")]);
		await eventually(() => assert.equal(failures, -1), "the call to reconnect");
		await forward([messageFor("x")]);
		assert.deepEqual(
			calls.map(({ missed }) => missed),
			[false, true, true, true, true, false]
		);
	});

	it("does not delay messages for a node that it no longer waits for", async () => {
		const answers: PromiseWithResolvers<null>[] = [];
		const { forward, calls } = setUp(
			{ x: ["two"] },
			() => {
				const answer = Promise.withResolvers<null>();
				answers.push(answer);
				if (answers.length === 1) answer.reject(unavailable("two"));
				return answer.promise;
			},
			false
		);
		for (let n = 0; n < 5; n++) await forward([messageFor("x")]);
		assert.equal(calls.length, 2, "one such call at a time");
		// Messages missed during the call may concern clients that had reconnected by then.
		answers[1]?.resolve(null);
		await setImmediate();
		assert.deepEqual(
			calls.map(({ missed }) => missed),
			[false, true, true]
		);
		answers[2]?.resolve(null);
		await setImmediate();
		const last = forward([messageFor("x")]);
		await setImmediate();
		answers[3]?.resolve(null);
		await last;
		assert.equal(calls.at(-1)?.missed, false);
	});
});
