import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decideDeduct, decideGiveBack, decideSet, type Holding, type Known, type Level } from "./reservation.rules.ts";
import { decideReserve, mergeLines } from "./reserve.rules.ts";

const level = (item: string, stock: number, reserved = 0): Level => ({ item, label: item, stock, reserved, version: 0 });
const known = (...levels: Level[]): Known => ({ levels: new Map(levels.map(one => [one.item, one])), holdings: new Map() });
const ask = (holder: string, quantity: number, item = "a") => ({ holder, lines: [{ item, quantity }] });

describe("a batch of requests", () => {
	it("is decided in order, each request on the levels that the earlier ones leave", () => {
		const { answers, movements } = decideReserve([ask("1", 3), ask("2", 3), ask("3", 2), ask("1", 3)], known(level("a", 5)));
		assert.deepEqual(answers, [
			{ done: "reserved" },
			{ refused: "OUT_OF_STOCK", missing: [{ item: "a", requested: 3, available: 2 }] },
			{ done: "reserved" },
			{ done: "again" }
		]);
		assert.deepEqual(
			movements.map(({ holder, reserved }) => [holder, reserved]),
			[
				["1", 3],
				["3", 5]
			]
		);
	});

	it("does not change its input", () => {
		const before = known(level("a", 5));
		decideReserve([ask("1", 3)], before);
		assert.deepEqual(before, known(level("a", 5)));
	});

	it("moves each holder's lines once, and makes each change once", () => {
		const holdings = new Map([["1", { state: "reserved" as const, lines: [{ item: "a", quantity: 2 }] }]]);
		const { levels } = known(level("a", 5, 2));
		assert.deepEqual(decideDeduct(["1", "1", "2"], { levels, holdings }).answers, ["deducted", "again", "unknown"]);
		assert.deepEqual(decideGiveBack(["1", "1", "2", "2"], { levels, holdings }).answers, [
			"given back",
			"again",
			"noted",
			"again"
		]);
		const changes = [7, 8].map(stock => ({ holder: "c", item: "a", stock }));
		const set = decideSet(changes, { levels, holdings }, new Set());
		assert.deepEqual(
			set.movements.map(({ stock, version }) => [stock, version]),
			[[7, 1]]
		);
	});
});

describe("an expired reservation", () => {
	const expiresAt = new Date("2026-01-31T12:00:00Z");
	const { levels } = known(level("a", 5, 2));
	const having = (state: Holding["state"], isExpired: boolean): Known => ({
		levels,
		holdings: new Map([["1", { state, lines: [{ item: "a", quantity: 2 }], expiresAt, isExpired }]])
	});

	it("is not deducted, if asked so, and moves nothing; a deducted one stays deducted", () => {
		const { answers, movements, holdings } = decideDeduct(["1", "1"], having("reserved", true), true);
		assert.deepEqual([answers, movements, holdings.size], [["expired", "expired"], [], 0]);
		assert.deepEqual(decideDeduct(["1"], having("reserved", true)).answers, ["deducted"]);
		assert.deepEqual(decideDeduct(["1"], having("reserved", false), true).answers, ["deducted"]);
		assert.deepEqual(decideDeduct(["1"], having("deducted", true), true).answers, ["again"]);
		assert.deepEqual(decideDeduct(["1"], having("given back", true), true).answers, ["given back"]);
	});

	it("is refused to its own holder too, unless it was deducted in time", () => {
		const answer = (state: Holding["state"], isExpired: boolean, quantity = 2) =>
			decideReserve([ask("1", quantity)], having(state, isExpired)).answers[0];
		assert.deepEqual(answer("reserved", false), { done: "again", expiresAt });
		assert.deepEqual(answer("reserved", true), { refused: "EXPIRED" });
		assert.deepEqual(answer("deducted", true), { done: "again", expiresAt });
		assert.deepEqual(answer("given back", true), { refused: "GIVEN_BACK" });
		assert.deepEqual(answer("reserved", true, 1), { refused: "EXPIRED" });
		assert.deepEqual(answer("reserved", false, 1), { refused: "OTHER_LINES" });
	});
});

describe("merged lines", () => {
	it("exceed any stock if their exact sum does, however long it is", () => {
		const huge = Number.MAX_SAFE_INTEGER;
		for (const quantities of [
			[huge, 1],
			[1, huge],
			[huge, huge, 1, huge]
		]) {
			const lines = quantities.map(quantity => ({ item: "a", quantity }));
			const [answer] = decideReserve([{ holder: "1", lines }], known(level("a", huge))).answers;
			assert.ok("refused" in answer! && answer.refused === "OUT_OF_STOCK");
			assert.ok(answer.missing[0]!.requested > answer.missing[0]!.available);
		}
	});

	it("contain each item once, with the exact sum of its quantities", () => {
		const line = fc.record({ item: fc.constantFrom("a", "b", "c"), quantity: fc.integer({ min: 1, max: 10_000 }) });
		fc.assert(
			fc.property(fc.array(line, { maxLength: 100 }), lines => {
				const sums = mergeLines(lines);
				assert.equal(new Set(sums.map(({ item }) => item)).size, sums.length);
				for (const { item, quantity } of sums) {
					const own = lines.filter(one => one.item === item);
					assert.equal(
						quantity,
						own.reduce((sum, one) => sum + one.quantity, 0)
					);
				}
			})
		);
	});
});
