import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { throttledLog } from "./throttled-log.ts";

function open({ mock }: TestContext, options = {}) {
	mock.timers.enable({ apis: ["setTimeout"] });
	const lines: unknown[][] = [];
	const events = throttledLog({ info: (...line) => void lines.push(line) }, options);
	return { ...events, lines, pass: (ms: number) => mock.timers.tick(ms) };
}

describe("a throttled log", () => {
	it("logs the first event at once, and the number of further ones a minute later", t => {
		const { log, lines, pass } = open(t);
		for (let n = 0; n < 20; n++) log("failed", { client: "a" });
		assert.deepEqual(lines, [["failed", { client: "a" }]]);
		pass(59_999);
		assert.equal(lines.length, 1);
		pass(1);
		assert.deepEqual(lines.slice(1), [["failed, 19 more times in 60 s", { client: "a" }]]);
		log("failed", { client: "a" });
		assert.deepEqual(lines.at(-1), ["failed", { client: "a" }]);
	});

	it("counts messages and subjects separately, and logs nothing more about a single event", t => {
		const { log, lines, pass } = open(t);
		log("failed", { client: "a" });
		log("failed", { client: "b" });
		log("refused", { client: "a" });
		assert.equal(lines.length, 3);
		pass(60_000);
		assert.equal(lines.length, 3);
	});

	it("counts further subjects together when there are too many", t => {
		const { log, lines, flush } = open(t, { maxSubjects: 2 });
		for (let n = 0; n < 100; n++) log("failed", { client: String(n) });
		log("failed", { client: "0" });
		flush();
		assert.deepEqual(lines, [
			["failed", { client: "0" }],
			["failed", { client: "1" }],
			["failed", { further: "subjects" }],
			["failed, 1 more times in 60 s", { client: "0" }],
			["failed, 97 more times in 60 s", { further: "subjects" }]
		]);
	});

	it("logs the numbers when it is flushed, once", t => {
		const { log, lines, flush, pass } = open(t);
		for (let n = 0; n < 3; n++) log("failed", {});
		flush();
		assert.deepEqual(lines, [
			["failed", {}],
			["failed, 2 more times in 60 s", {}]
		]);
		pass(60_000);
		flush();
		assert.equal(lines.length, 2);
	});
});
