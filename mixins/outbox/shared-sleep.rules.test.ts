import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { sharedSleep } from "./shared-sleep.ts";

const HALF_PAST = 500;

/** Virtual time, and the names of the sleeps that have ended, in order. */
function started() {
	mock.timers.enable({ apis: ["setTimeout"] });
	let nowMs = 0;
	const sleep = sharedSleep(() => nowMs);
	const ended: string[] = [];
	return {
		ended,
		start(name: string, ms: number) {
			const one = sleep(ms);
			one.ended.then(() => ended.push(name));
			return one;
		},
		async pass(ms: number) {
			nowMs += ms;
			mock.timers.tick(ms);
			await new Promise(setImmediate);
		}
	};
}

it("ends sleeps together when one ends that is due, and leaves those that have just begun", async t => {
	t.after(() => mock.timers.reset());
	const { ended, start, pass } = started();
	start("a", 1_000);
	await pass(HALF_PAST - 1);
	start("c", 1_000);
	start("hourly", 3_600_000);
	await pass(1);
	start("b", 800);
	await pass(500);
	assert.deepEqual(ended, ["a", "c", "b"]);
});

it("ends a sleep early without ending another, and the others after their own time", async t => {
	t.after(() => mock.timers.reset());
	const { ended, start, pass } = started();
	const woken = start("woken", 100);
	start("long", 1_000);
	await pass(60);
	woken.end();
	await pass(0);
	assert.deepEqual(ended, ["woken"]);
	await pass(939);
	assert.deepEqual(ended, ["woken"]);
	await pass(1);
	assert.deepEqual(ended, ["woken", "long"]);
});

it("ends no other sleep at the time of one that was ended early", async t => {
	t.after(() => mock.timers.reset());
	const { ended, start, pass } = started();
	start("long", 1_000);
	await pass(500);
	const woken = start("woken", 200);
	woken.end();
	await pass(200);
	assert.deepEqual(ended, ["woken"]);
	await pass(300);
	assert.deepEqual(ended, ["woken", "long"]);
});
