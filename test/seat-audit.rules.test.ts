// The audit of seats finds each kind of error: it is compared with a correct history, into which one error at a time is put.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { auditSeats, type StoredSeats } from "./seat-audit.ts";
import type { SeatEntry } from "./seat-load.ts";

const entry = (holdId: string | undefined, state: SeatEntry["state"], seats?: string[]): SeatEntry => ({
	key: `key of ${holdId}`,
	buyer: "ann",
	plan: "confirm",
	asked: { best: { count: 1 } },
	state,
	holdId,
	seats
});

/** Ann buys A1; B1 was held and released; a hold of B1 whose answer was lost has ended. */
const correct = () => {
	const entries = [entry("sale", "sold", ["A1"]), entry("release", "released", ["B1"]), entry(undefined, "ended")];
	const movement = (holder: string, seat: string, kind: string) => ({ holder, seat, kind, quantity: 1 });
	const change = (version: number, seat: string, status: "free" | "held" | "sold") => ({
		showId: "show",
		version,
		seats: [{ seat, status }]
	});
	const stored: StoredSeats = {
		movements: [
			...["A1", "B1"].map(seat => movement("show", seat, "open")),
			...["reserve", "deduct"].map(kind => movement("sale", "A1", kind)),
			...["reserve", "release"].map(kind => movement("release", "B1", kind)),
			...["reserve", "release"].map(kind => movement("unanswered", "B1", kind))
		],
		levels: new Map([
			["A1", { stock: 0, reserved: 0 }],
			["B1", { stock: 1, reserved: 0 }]
		]),
		version: 6,
		changes: [
			change(1, "A1", "held"),
			change(2, "A1", "sold"),
			change(3, "B1", "held"),
			change(4, "B1", "free"),
			// Published again after a crash.
			change(3, "B1", "held"),
			change(4, "B1", "free"),
			change(5, "B1", "held"),
			change(6, "B1", "free")
		]
	};
	return { entries, stored };
};

describe("the audit of seats", () => {
	it("accepts a correct history", () => {
		const { entries, stored } = correct();
		assert.deepEqual(auditSeats(entries, stored), { sold: 1 });
	});

	const errors: Record<string, [change: (history: ReturnType<typeof correct>) => unknown, message: RegExp]> = {
		"a seat that was acknowledged as sold to two buyers": [
			({ entries }) => entries.push(entry("other", "sold", ["A1"])),
			/A1 was acknowledged as sold to two holds/
		],
		"a seat that is sold twice": [
			({ stored }) => stored.movements.push({ holder: "other", seat: "A1", kind: "deduct", quantity: 1 }),
			/sold twice/
		],
		"an acknowledged sale that is not stored": [
			({ entries }) => entries.push(entry("lost", "sold", ["B1"])),
			/what is sold is what was acknowledged/
		],
		"a sale that nobody was told about": [
			({ entries }) => Object.assign(entries[0]!, { state: "ended" }),
			/what is sold is what was acknowledged/
		],
		"an acknowledged hold that is not stored": [
			({ entries }) => entries.push(entry("lost", "released", ["B1"])),
			/the acknowledged hold lost is lost/
		],
		"a hold that nobody asked for": [({ entries }) => entries.pop(), /1 holds belong to nobody/],
		"a seat that was put in twice": [
			({ stored }) => stored.movements.push({ holder: "again", seat: "B1", kind: "open", quantity: 1 }),
			/B1 is put in once/
		],
		"a level that is not the sum of the ledger": [
			({ stored }) => stored.levels.set("B1", { stock: 1, reserved: 1 }),
			/what is reserved of B1/
		],
		"a seat that was released twice": [
			({ stored }) => stored.movements.push({ holder: "other", seat: "B1", kind: "release", quantity: 1 }),
			/what is reserved of B1/
		],
		"a version that is missing": [({ stored }) => stored.changes.splice(2, 4), /a version is missing/],
		"a version that is not published": [({ stored }) => stored.version++, /the newest version/],
		"a first version that is missing": [({ stored }) => stored.changes.shift(), /version 2 changes A1 from free to sold/],
		"a sold seat that becomes free": [
			({ stored }) => Object.assign(stored.changes[2]!, { seats: [{ seat: "A1", status: "free" }] }),
			/version 3 changes A1 from sold to free/
		]
	};
	for (const [what, [change, message]] of Object.entries(errors))
		it(`finds ${what}`, () => {
			const history = correct();
			change(history);
			assert.throws(() => auditSeats(history.entries, history.stored), { message });
		});
});
