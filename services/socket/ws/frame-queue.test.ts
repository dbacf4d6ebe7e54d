import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WebSocket } from "ws";
import { FrameBudget } from "../limits/frame-budget.ts";
import type { Peer } from "../limits/peers.ts";
import { FrameQueue } from "./frame-queue.ts";
import type { ClientFrame } from "./frames.ts";

describe("the frame queue", () => {
	const socket = { OPEN: 1, readyState: 1, isPaused: false, pause: () => {}, resume: () => {} };
	let allowed: number;
	let handled: string[];
	let flooded: number;
	/** For each handled frame: it is in flight until this resolves. */
	let answers: PromiseWithResolvers<void>[];
	let frames: FrameQueue;
	const take = (count = 1) => {
		allowed -= count;
		return allowed >= 0;
	};

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
		[allowed, handled, flooded, answers] = [Number.POSITIVE_INFINITY, [], 0, []];
		frames = new FrameQueue(socket as unknown as WebSocket, { take, budget: new FrameBudget() } as unknown as Peer, {
			parse: text => ({ code: undefined, data: { text } }) as ClientFrame,
			answer(frame) {
				handled.push((frame.data as { text: string }).text);
				const answer = Promise.withResolvers<void>();
				answers.push(answer);
				return answer.promise;
			},
			reject: () => {},
			onFlood: () => flooded++
		});
	});

	const send = (count: number) => {
		for (let n = 0; n < count; n++) frames.add(Buffer.from(String(n)), false);
	};
	const inOrder = (count: number) => Array.from({ length: count }, (_, n) => String(n));

	it("handles a few frames per turn and in order, and pauses the socket meanwhile", async () => {
		send(100);
		assert.ok(handled.length < 50, `${handled.length} in one turn`);
		assert.ok(socket.isPaused);
		for (let turns = 0; handled.length < 100 && turns < 100; turns++) {
			const before = handled.length;
			await nextTurn();
			assert.ok(handled.length - before < 50, `${handled.length - before} in one turn`);
		}
		assert.deepEqual(handled, inOrder(100));
		assert.ok(!socket.isPaused);
	});

	it("handles no more than 256 frames at once, and continues when one is answered", async () => {
		send(400);
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.equal(handled.length, 256);
		assert.ok(socket.isPaused);
		for (let n = 0; n < 100; n++) answers[n]?.resolve();
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.equal(handled.length, 356);
		for (const answer of answers) answer.resolve();
		for (let turns = 0; turns < 20; turns++) await nextTurn();
		assert.deepEqual(handled, inOrder(400));
		assert.ok(!socket.isPaused);
	});

	it("handles queued frames even if the client closes before their turn", async () => {
		send(100);
		socket.readyState = 2;
		send(1);
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual(handled, inOrder(100));
	});

	it("drops frames from the first above the rate limit on, and keeps the socket paused", async () => {
		allowed = 50;
		send(100);
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		send(100);
		for (const answer of answers) answer.resolve();
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual([handled.length, flooded, socket.isPaused], [50, 1, true]);
	});

	it("counts a frame once for each started KiB", async () => {
		for (const [bytes, cost] of [
			[1, 1],
			[1024, 1],
			[1025, 2],
			[65_536, 64]
		] as const) {
			allowed = 1_000;
			frames.add(Buffer.alloc(bytes, " "), false);
			await nextTurn();
			assert.equal(1_000 - allowed, cost, `${bytes} bytes`);
		}
		allowed = 63;
		frames.add(Buffer.alloc(65_536, " "), false);
		assert.deepEqual([handled.length, flooded], [4, 1]);
	});

	it("handles few large frames per turn: after 32 KiB the others wait", async () => {
		for (let n = 0; n < 6; n++) frames.add(Buffer.alloc(10_240, " "), false);
		assert.deepEqual([handled.length, socket.isPaused], [4, true]);
		await nextTurn();
		assert.equal(handled.length, 6);
		await nextTurn();
		for (const count of [7, 8, 9]) {
			if (count === 7) for (let n = 0; n < 3; n++) frames.add(Buffer.alloc(65_536, " "), false);
			assert.equal(handled.length, count, "one frame of 64 KiB a turn");
			await nextTurn();
		}
	});

	it("handles no more frames when it drains, and waits for those in flight", async () => {
		send(100);
		const before = handled.length;
		let isDrained = false;
		const drained = frames.drain().then(() => {
			isDrained = true;
		});
		for (let turns = 0; turns < 10; turns++) await nextTurn();
		assert.deepEqual([handled.length, isDrained], [before, false]);
		for (const answer of answers) answer.resolve();
		await drained;
	});

	it("handles at most some hundred frames of one address per turn, of all of its sockets in turn, and those of another address at once", async () => {
		const counts = new Array<number>(40).fill(0);
		const turn = new FrameBudget();
		const open = (at: number, budget: FrameBudget) =>
			new FrameQueue({ ...socket } as unknown as WebSocket, { take, budget } as unknown as Peer, {
				parse: () => ({ code: undefined, data: {} }),
				answer: async () => counts[at]!++,
				reject: () => {},
				onFlood: () => flooded++
			});
		const total = () => counts.reduce((sum, count) => sum + count, 0);
		const queues = counts.slice(1).map((_, n) => open(n + 1, turn));
		for (const queue of queues) for (let n = 0; n < 100; n++) queue.add(Buffer.from("{}"), false);
		assert.ok(total() < 300, `${total()} in one turn`);
		open(0, new FrameBudget()).add(Buffer.from("{}"), false);
		assert.equal(counts[0], 1);
		for (let turns = 0; total() < 3_901 && turns < 200; turns++) {
			const before = total();
			await nextTurn();
			assert.ok(total() - before < 600, `${total() - before} in one turn`);
			const [least, most] = [Math.min(...counts.slice(1)), Math.max(...counts.slice(1))];
			assert.ok(most - least <= 64, `one socket had ${most} frames and another ${least}`);
		}
		assert.deepEqual(counts, [1, ...new Array<number>(39).fill(100)]);
	});

	it("has at most two thousand frames of one address in flight, of all of its sockets in turn, and those of another address at once", async () => {
		const answers: (() => void)[] = [];
		let others = 0;
		const open = (budget: FrameBudget, answer: () => Promise<unknown>) =>
			new FrameQueue({ ...socket } as unknown as WebSocket, { take: () => true, budget } as unknown as Peer, {
				parse: () => ({ code: undefined, data: {} }),
				answer,
				reject: () => {},
				onFlood: () => {}
			});
		const budget = new FrameBudget();
		const pending = () => new Promise<void>(resolve => answers.push(resolve));
		const queues = Array.from({ length: 30 }, () => open(budget, pending));
		for (const queue of queues) for (let n = 0; n < 100; n++) queue.add(Buffer.from("{}"), false);
		const settle = async () => {
			for (let turns = 0; turns < 100; turns++) await nextTurn();
		};
		await settle();
		assert.equal(answers.length, 2_000);
		open(new FrameBudget(), async () => others++).add(Buffer.from("{}"), false);
		assert.equal(others, 1);
		for (const answer of answers.splice(0, 500)) answer();
		await settle();
		assert.equal(answers.length, 2_000, "as many as were answered");
		for (const answer of answers.splice(0)) answer();
		await settle();
		assert.equal(answers.length, 500, "the rest of 3,000");
	});
});
