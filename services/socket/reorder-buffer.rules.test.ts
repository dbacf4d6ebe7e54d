import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { reorderBuffer } from "./reorder-buffer.ts";

const HOLD_MS = 1_000;

const line = (options = {}) => {
	const passed: string[] = [];
	const take = reorderBuffer<string>(item => passed.push(item), { holdMs: HOLD_MS, ...options });
	return {
		passed,
		take: (key: string, seq: number, afterMs = 0, receivedForMs?: number) =>
			take({ key, seq, afterMs }, `${key}${seq}`, receivedForMs)
	};
};

describe("changes in the reorder buffer", () => {
	it("are passed on at once when they come in order, and once when they come twice", () => {
		const { passed, take } = line();
		for (const seq of [1, 1, 2, 1, 2, 3, 3]) take("a", seq);
		assert.deepEqual(passed, ["a1", "a2", "a3"]);
	});

	it("are passed on in order, each once, however they arrive", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const changes = fc.array(fc.record({ key: fc.constantFrom("a", "b"), seq: fc.integer({ min: 1, max: 8 }) }), {
			minLength: 1
		});
		fc.assert(
			fc.property(changes, given => {
				const { passed, take } = line();
				for (const { key, seq } of given) take(key, seq);
				t.mock.timers.tick(HOLD_MS);
				const wanted = new Set(given.map(({ key, seq }) => `${key}${seq}`));
				assert.deepEqual(new Set(passed), wanted);
				assert.equal(passed.length, wanted.size);
				for (const key of ["a", "b"]) {
					const own = passed.filter(item => item.startsWith(key));
					assert.deepEqual(own, own.toSorted());
				}
			})
		);
	});

	it("wait for the change before them, at most for the hold time", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const { passed, take } = line();
		take("a", 1);
		take("a", 3);
		t.mock.timers.tick(HOLD_MS - 1);
		assert.deepEqual(passed, ["a1"]);
		t.mock.timers.tick(1);
		assert.deepEqual(passed, ["a1", "a3"]);
		take("a", 2);
		take("a", 2);
		assert.deepEqual(passed, ["a1", "a3", "a2"], "late, and once");
	});

	it("wait for earlier changes of a thing not yet known, unless the one before was made long ago", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const { passed, take } = line();
		take("a", 4, HOLD_MS + 1);
		assert.deepEqual(passed, ["a4"]);
		take("b", 3, 5);
		take("b", 2, 5);
		assert.deepEqual(passed, ["a4"]);
		take("b", 1);
		assert.deepEqual(passed, ["a4", "b1", "b2", "b3"]);
	});

	it("do not wait for changes made before any were received here", () => {
		const { passed, take } = line();
		take("a", 4, 500, 499);
		assert.deepEqual(passed, ["a4"]);
	});

	it("are passed on at once where one topic alone reports them, whatever numbers are absent", () => {
		const passed: number[] = [];
		const take = reorderBuffer<number>(seq => passed.push(seq), { holdMs: HOLD_MS });
		for (const seq of [1, 3, 2, 3, 1_000_000_000, 1_000_000_000]) take({ key: "a", seq }, seq);
		assert.deepEqual(passed, [1, 3, 1_000_000_000]);
	});

	it("are passed on late where the first to arrive was made long after them", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const { passed, take } = line();
		take("a", 3, HOLD_MS + 1);
		take("a", 1);
		take("a", 2, 5);
		take("a", 2, 5);
		assert.deepEqual(passed, ["a3", "a1", "a2"]);
		take("b", 1_000_000_000, 5);
		t.mock.timers.tick(HOLD_MS);
		assert.equal(passed.at(-1), "b1000000000", "a gap of any width is waited for no longer than the hold time");
	});

	it("are evicted for the things longest unchanged, but not while one waits", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const { passed, take } = line({ maxKeys: 2 });
		take("a", 2, 0);
		for (const key of ["b", "c", "d"]) take(key, 1);
		take("a", 1);
		assert.deepEqual(passed, ["b1", "c1", "d1", "a1", "a2"]);
		take("b", 1);
		assert.equal(passed.at(-1), "b1");
	});
});
