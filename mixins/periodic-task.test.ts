import assert from "node:assert/strict";
import { test } from "node:test";
import { periodicTask } from "./periodic-task.ts";

const nextTurn = () => new Promise(setImmediate);

test("a task runs periodically, never concurrently, and stop waits for it", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	let [begun, ended] = [0, 0];
	let end = () => {};
	const task = () => {
		begun++;
		return new Promise<void>(resolve => {
			end = resolve;
		}).then(() => ended++);
	};
	const logger = { warn: () => assert.fail("nothing fails here") };
	const running = periodicTask(task, { everyMs: 10, logger, what: "sweeping" });
	t.mock.timers.tick(30);
	assert.equal(begun, 1);
	end();
	await nextTurn();
	t.mock.timers.tick(10);
	assert.equal(begun, 2);
	const stopped = running.stop();
	end();
	await stopped;
	t.mock.timers.tick(100);
	assert.deepEqual([begun, ended], [2, 2]);
});

test("a task that fails is logged and retried at the next tick", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const lines: string[] = [];
	let attempts = 0;
	const task = async () => {
		if (++attempts === 1) throw new Error("connection lost");
	};
	const running = periodicTask(task, {
		everyMs: 10,
		logger: { warn: (line: string) => lines.push(line) } as never,
		what: "sweeping"
	});
	t.mock.timers.tick(10);
	await nextTurn();
	t.mock.timers.tick(10);
	await nextTurn();
	await running.stop();
	assert.deepEqual([attempts, lines], [2, ["sweeping failed (connection lost); retrying in 10 ms"]]);
});

test("a task without a promise that fails is logged and retried at the next tick", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const lines: string[] = [];
	let attempts = 0;
	const task = () => {
		if (++attempts === 1) throw new Error("too many open files");
	};
	const running = periodicTask(task, {
		everyMs: 10,
		logger: { warn: (line: string) => lines.push(line) } as never,
		what: "sweeping"
	});
	t.mock.timers.tick(20);
	await running.stop();
	assert.deepEqual([attempts, lines], [2, ["sweeping failed (too many open files); retrying in 10 ms"]]);
});
