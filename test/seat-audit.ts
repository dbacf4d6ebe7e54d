// Compares what buyers were answered about their seats with what is stored: the ledger of all movements, and the topic. Reads stores, not the system's API.
import assert from "node:assert/strict";
import type { SeatStatus } from "./client.seats.ts";
import type { SeatEntry } from "./seat-load.ts";

export interface Movement {
	/** The hold, or what has put the seat in. */
	holder: string;
	seat: string;
	kind: string;
	quantity: number;
}

export interface SeatChange {
	showId: string;
	version: number;
	seats: { seat: string; status: SeatStatus }[];
}

/** What is stored of one show. */
export interface StoredSeats {
	movements: Movement[];
	/** Seat → stock and reserved. */
	levels: Map<string, { stock: number; reserved: number }>;
	/** The version of the show. */
	version: number;
	/** The records of `seats.updated`, in their order. A record may be there twice. */
	changes: SeatChange[];
}

const STEPS = ["free held", "held sold", "held free"];

/** Checks that stock + sold - returned is what was put in, for each seat, and that nothing is reserved twice. */
function checkLedger({ movements, levels }: StoredSeats) {
	const sums = new Map<string, Record<string, number>>();
	for (const { seat, kind, quantity } of movements) {
		const sum = sums.get(seat) ?? {};
		sums.set(seat, { ...sum, [kind]: (sum[kind] ?? 0) + quantity });
	}
	assert.deepEqual([...sums.keys()].sort(), [...levels.keys()].sort(), "the ledger has every seat");
	for (const [seat, sum] of sums) {
		const { open = 0, set = 0, reserve = 0, release = 0, deduct = 0, return: returned = 0 } = sum;
		const { stock, reserved } = levels.get(seat)!;
		assert.equal(open + set, 1, `${seat} is put in once`);
		assert.equal(stock + deduct - returned, 1, `the stock of ${seat}`);
		assert.equal(reserve - release - deduct, reserved, `what is reserved of ${seat}`);
		assert.ok(deduct - returned <= 1, `${seat} is sold ${deduct} times`);
	}
}

/** Checks that the first records of the versions follow each other without gaps, that each changes seats in a possible way, and that they lead to the stored statuses. */
function checkChanges({ changes, version, levels }: StoredSeats) {
	const statuses = new Map<string, SeatStatus>([...levels.keys()].map(seat => [seat, "free"]));
	const [first] = changes;
	let last = (first?.version ?? 1) - 1;
	for (const change of changes) {
		// Published again after a crash.
		if (change.version <= last) continue;
		assert.equal(change.version, last + 1, "a version is missing on the topic");
		last = change.version;
		for (const { seat, status } of change.seats) {
			const before = statuses.get(seat);
			assert.ok(STEPS.includes(`${before} ${status}`), `version ${last} changes ${seat} from ${before} to ${status}`);
			statuses.set(seat, status);
		}
	}
	assert.equal(last, version, "the newest version on the topic");
	for (const [seat, { stock, reserved }] of levels)
		assert.equal(statuses.get(seat), stock === 0 ? "sold" : reserved === 1 ? "held" : "free", `${seat} on the topic`);
}

/** Checks the stored seats of one show against the entries of its buyers, all of which must have a final answer. */
export function auditSeats(entries: readonly SeatEntry[], stored: StoredSeats) {
	const owners = new Map<string, string>();
	for (const { holdId = "", seats = [] } of entries.filter(({ state }) => state === "sold"))
		for (const seat of seats) {
			assert.equal(owners.get(seat), undefined, `${seat} was acknowledged as sold to two holds`);
			owners.set(seat, holdId);
		}
	const deducted = stored.movements.filter(({ kind }) => kind === "deduct");
	const sold = new Map(deducted.map(({ seat, holder }) => [seat, holder]));
	assert.equal(sold.size, deducted.length, "a seat is sold twice");
	assert.deepEqual([...sold].sort(), [...owners].sort(), "what is sold is what was acknowledged as sold");

	const known = new Set(entries.flatMap(({ holdId }) => holdId ?? []));
	const holders = new Set(stored.movements.filter(({ kind }) => kind === "reserve").map(({ holder }) => holder));
	for (const id of known) assert.ok(holders.has(id), `the acknowledged hold ${id} is lost`);
	const unknown = [...holders].filter(id => !known.has(id));
	const unanswered = entries.filter(({ state, holdId }) => state === "ended" && holdId === undefined);
	assert.ok(unknown.length <= unanswered.length, `${unknown.length} holds belong to nobody who asked: ${unknown.slice(0, 3)}`);
	checkLedger(stored);
	checkChanges(stored);
	return { sold: sold.size };
}
