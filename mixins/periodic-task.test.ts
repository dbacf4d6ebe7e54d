import assert from "node:assert/strict";
import { test } from "node:test";
import { periodicTask } from "./periodic-task.ts";

const turn = () => new Promise(setImmediate);

test("a work is done again and again, never twice at once, and waited for at the end", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	let [begun, ended] = [0, 0];
	let end = () => {};
	const work = () => {
		begun++;
		return new Promise<void>(resolve => {
			end = resolve;
		}).then(() => ended++);
	};
	const logger = { warn: () => assert.fail("nothing fails here") };
	const housekeeping = periodicTask(work, { everyMs: 10, logger, what: "things" });
	t.mock.timers.tick(30);
	assert.equal(begun, 1);
	end();
	await turn();
	t.mock.timers.tick(10);
	assert.equal(begun, 2);
	const stopped = housekeeping.stop();
	end();
	await stopped;
	t.mock.timers.tick(100);
	assert.deepEqual([begun, ended], [2, 2]);
});

test("a work that fails is said to stay undone for now, and done again the next time", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const said: string[] = [];
	let tries = 0;
	const work = async () => {
		if (++tries === 1) throw new Error("away");
	};
	const housekeeping = periodicTask(work, {
		everyMs: 10,
		logger: { warn: (line: string) => said.push(line) } as never,
		what: "old things"
	});
	t.mock.timers.tick(10);
	await turn();
	t.mock.timers.tick(10);
	await turn();
	await housekeeping.stop();
	assert.deepEqual([tries, said], [2, ["old things stay for now (away)"]]);
});
