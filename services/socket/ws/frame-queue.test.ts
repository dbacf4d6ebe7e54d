import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WebSocket } from "ws";
import type { Peer } from "../limits/peers.ts";
import { FrameQueue } from "./frame-queue.ts";
import type { ClientFrame } from "./frames.ts";

describe("what a socket sends", () => {
	const socket = { OPEN: 1, readyState: 1, isPaused: false, pause: () => {}, resume: () => {} };
	let allowed: number;
	let taken: string[];
	let flooded: number;
	/** Of each frame taken: until it is resolved the frame is under way. */
	let answers: PromiseWithResolvers<void>[];
	let frames: FrameQueue;

	beforeEach(() => {
		Object.assign(socket, {
			readyState: 1,
			isPaused: false,
			pause: () => {
				socket.isPaused = true;
			},
			resume: () => {
				socket.isPaused = false;
			}
		});
		[allowed, taken, flooded, answers] = [Number.POSITIVE_INFINITY, [], 0, []];
		frames = new FrameQueue(socket as unknown as WebSocket, { take: () => allowed-- > 0 } as Peer, {
			parse: text => ({ code: undefined, data: { text } }) as ClientFrame,
			answer(frame) {
				taken.push((frame.data as { text: string }).text);
				const answer = Promise.withResolvers<void>();
				answers.push(answer);
				return answer.promise;
			},
			reject: () => {},
			onFlood: () => flooded++
		});
	});

	const say = (count: number) => {
		for (let n = 0; n < count; n++) frames.add(Buffer.from(String(n)), false);
	};
	const inOrder = (count: number) => Array.from({ length: count }, (_, n) => String(n));

	it("is taken some at a time and in order, and no more is read meanwhile", async () => {
		say(100);
		assert.ok(taken.length < 50, `${taken.length} in one turn`);
		assert.ok(socket.isPaused);
		for (let turns = 0; taken.length < 100 && turns < 100; turns++) {
			const before = taken.length;
			await nextTurn();
			assert.ok(taken.length - before < 50, `${taken.length - before} in one turn`);
		}
		assert.deepEqual(taken, inOrder(100));
		assert.ok(!socket.isPaused);
	});

	it("is not taken while too much is under way, and goes on as soon as there is room", async () => {
		say(400);
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.equal(taken.length, 256);
		assert.ok(socket.isPaused);
		for (let n = 0; n < 100; n++) answers[n]?.resolve();
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.equal(taken.length, 356);
		for (const answer of answers) answer.resolve();
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.deepEqual(taken, inOrder(400));
		assert.ok(!socket.isPaused);
	});

	it("is taken even if its peer says goodbye before its turn", async () => {
		say(100);
		socket.readyState = 2;
		say(1);
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual(taken, inOrder(100));
	});

	it("is dropped from the first frame too many, and never read again", async () => {
		allowed = 50;
		say(100);
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		say(100);
		for (const answer of answers) answer.resolve();
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual([taken.length, flooded, socket.isPaused], [50, 1, true]);
	});

	it("is not taken any more when the session ends, and what was taken is waited for", async () => {
		say(100);
		const before = taken.length;
		let isDrained = false;
		const drained = frames.drain().then(() => {
			isDrained = true;
		});
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual([taken.length, isDrained], [before, false]);
		for (const answer of answers) answer.resolve();
		await drained;
	});
});
