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
		take: (key: string, seq: number, afterMs = 0, heardForMs?: number) => take({ key, seq, afterMs }, `${key}${seq}`, heardForMs)
	};
};

describe("changes in sequence", () => {
	it("are passed on at once when they come in order, and once when they come twice", () => {
		const { passed, take } = line();
		for (const seq of [1, 1, 2, 1, 2, 3, 3]) take("a", seq);
		assert.deepEqual(passed, ["a1", "a2", "a3"]);
	});

	it("come out in order, each once, whatever order they come in and however often", t => {
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

	it("wait for the one before them, and no longer than they may", t => {
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
		assert.deepEqual(passed, ["a1", "a3", "a2"], "late rather than never, and once");
	});

	it("are waited for where nothing is known of what changed, unless the one before was made long ago", t => {
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

	it("are not waited for where those before were made before anybody listened", () => {
		const { passed, take } = line();
		take("a", 4, 500, 499);
		assert.deepEqual(passed, ["a4"]);
	});

	it("are passed on at once where one topic alone tells of them, whatever was told when nobody listened", () => {
		const passed: number[] = [];
		const take = reorderBuffer<number>(seq => passed.push(seq), { holdMs: HOLD_MS });
		for (const seq of [1, 3, 2, 3, 1_000_000_000, 1_000_000_000]) take({ key: "a", seq }, seq);
		assert.deepEqual(passed, [1, 3, 1_000_000_000]);
	});

	it("come late rather than never where what came first was made long after them", t => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const { passed, take } = line();
		take("a", 3, HOLD_MS + 1);
		take("a", 1);
		take("a", 2, 5);
		take("a", 2, 5);
		assert.deepEqual(passed, ["a3", "a1", "a2"]);
		take("b", 1_000_000_000, 5);
		t.mock.timers.tick(HOLD_MS);
		assert.equal(passed.at(-1), "b1000000000", "a number that nobody counts up to is waited for no longer than any");
	});

	it("are forgotten for the things that have not changed for longest, never with one that waits", t => {
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
