import assert from "node:assert/strict";
import { it } from "node:test";
import { seatingPlans } from "./seats.plans.ts";
import { toSeat } from "./seats.rules.ts";

/** Reads plans of this many seats each, and counts how often. */
function countedPlans(sizes: Record<string, number>, maxSeats: number) {
	const read: string[] = [];
	const findPlans = async (ids: string[]) => {
		assert.equal(ids.length, 1, "one statement reads the seats of several shows");
		read.push(...ids);
		const show = { name: "", startsAt: new Date(), createdAt: new Date() };
		return new Map(
			ids.flatMap(showId => {
				const seatCount = sizes[showId];
				if (seatCount === undefined) return [];
				const seats = Array.from({ length: seatCount }, (_, n) => toSeat({ seat: `A${n}` }));
				return [[showId, { show: { ...show, showId, seatCount }, seats }] as const];
			})
		);
	};
	return { read, find: seatingPlans({ findPlans }, maxSeats) };
}

it("a seating plan is read once, an unknown show each time, and those that were used last are kept", async () => {
	const { read, find } = countedPlans({ a: 3, b: 3, c: 3, large: 50 }, 7);
	assert.deepEqual([...(await find(["a", "b", "a", "unknown"])).keys()], ["a", "b"]);
	await find(["a", "unknown"]);
	assert.deepEqual(read, ["a", "b", "unknown", "unknown"]);
	await find(["c"]);
	await find(["a"]);
	assert.deepEqual(read.slice(4), ["c"], "a was used after b");
	await find(["b"]);
	assert.deepEqual(read.slice(5), ["b"]);
	assert.equal((await find(["large"])).get("large")?.positions.get("A49"), 49);
	await find(["large", "b"]);
	assert.deepEqual(read.slice(6), ["large", "large", "b"], "one plan alone is larger than what is kept");
});
