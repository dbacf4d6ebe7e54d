// The invariants of seats after every commit: one buyer a seat, messages that explain every seat map, and a fair queue.
import assert from "node:assert/strict";
import { isOpen, type Message, type State, type Status, type StoredHold } from "./seats.state.ts";

export const MAX_OPEN_HOLDS = 3;
/** The seats of a hold that has ended are shown free within this time, unless there are faults. */
const MAX_SWEEP_MS = 5_000;
/** In this time after the last fault, all nodes run again. */
const RECOVERY_MS = 10_000;

export interface QueueOptions {
	opensAtMs: number;
	admitPerSecond: number;
}

/** What the clients of a history know, and the invariants need. */
export interface Known {
	holdMs: number;
	/** By show. */
	queues: Map<string, QueueOptions>;
	/** Since when no more faults are injected. */
	calmSinceMs?: number;
	/** Holds that their buyer may have released: the request was sent. */
	released: Set<string>;
	/** Holds whose confirmation was answered with success, and their buyers. */
	confirmed: Map<string, string>;
}

interface Admission {
	beganAtMs: number;
	endedAtMs: number;
}

/** The map of a show as its messages give it. */
interface Replayed {
	version: number;
	seats: Map<string, Status>;
}

const sorted = (texts: Iterable<string>) => [...texts].sort();

export function seatsChecker(known: Known) {
	const replayed = new Map<string, Replayed>();
	/** The statuses of each version of each show. */
	const versions = new Map<string, Map<string, Status>[]>();
	const expired = new Set<string>();
	const published = new Set<string>();
	const admissions = new Map<string, Admission[]>();
	let before: State | undefined;

	const applyUpdate = ({ showId, version, seats }: Message["message"]) => {
		const map = replayed.get(showId);
		assert.ok(map, `seats.updated of the unknown show ${showId}`);
		assert.equal(version, map.version + 1, "the version of seats.updated");
		map.version = version;
		for (const { seat, status } of seats) {
			assert.notEqual(status, map.seats.get(seat), `seats.updated ${version} says that ${seat} became ${status}, which it was`);
			map.seats.set(seat, status);
		}
		assert.equal(new Set(seats.map(({ seat }: { seat: string }) => seat)).size, seats.length, "seats.updated names a seat twice");
		assert.ok(seats.length > 0, "seats.updated without a seat");
		versions.get(showId)!.push(new Map(map.seats));
	};

	const applyExpired = ({ holdId, showId, buyerId, seats }: Message["message"], state: State) => {
		const hold = state.holds.get(holdId);
		assert.ok(hold, "hold.expired of an unknown hold");
		assert.ok(!expired.has(holdId), "hold.expired twice of one hold");
		expired.add(holdId);
		assert.deepEqual([showId, buyerId, sorted(seats)], [hold.showId, hold.buyerId, hold.reserved], "hold.expired");
		assert.equal(hold.state, "given back", "hold.expired of a hold that was not given back");
		assert.ok(hold.endMs <= state.atMs, "hold.expired before the end of the hold");
	};

	const applyAdmission = ({ showId, userId, state }: Message["message"]) => {
		if (state !== "admitted") return;
		assert.ok(!published.has(`${showId} ${userId}`), `${userId} was admitted twice`);
		published.add(`${showId} ${userId}`);
	};

	/** The seat maps that result from the messages are those of the tables. */
	const checkMaps = (state: State) => {
		for (const [showId, version] of state.versions) {
			const map = replayed.get(showId)!;
			assert.equal(map.version, version, "the version of the show, and that of its newest message");
			assert.deepEqual(sorted(map.seats.keys()), sorted(state.statuses.get(showId)?.keys() ?? []));
			for (const [seat, status] of state.statuses.get(showId) ?? [])
				assert.equal(map.seats.get(seat), status, `the messages give another status of ${seat}`);
		}
	};

	/** Every seat that is held or sold has one holder. */
	const checkHolders = ({ holds, statuses }: State) => {
		const holders = new Map<string, StoredHold>();
		for (const hold of holds.values()) {
			if (hold.state === "given back") continue;
			assert.deepEqual(sorted(hold.seats ?? []), hold.reserved, "the seats of a hold, and what it has reserved");
			for (const seat of hold.reserved) {
				assert.ok(!holders.has(`${hold.showId}/${seat}`), `${seat} has two holders`);
				holders.set(`${hold.showId}/${seat}`, hold);
			}
		}
		for (const [showId, seats] of statuses)
			for (const [seat, status] of seats) {
				const holder = holders.get(`${showId}/${seat}`)?.state;
				assert.equal(holder, { free: undefined, held: "reserved", sold: "deducted" }[status], `${seat} is ${status}`);
			}
	};

	const checkNew = (hold: StoredHold, state: State, beganAtMs: number) => {
		const { holdId, showId, buyerId, endMs } = hold;
		assert.equal(hold.state, "reserved", `${holdId} is new`);
		assert.ok(
			beganAtMs + known.holdMs <= endMs && endMs <= state.atMs + known.holdMs,
			`a hold of ${known.holdMs} ms that was made from ${beganAtMs} to ${state.atMs} ends at ${endMs}`
		);
		const own = [...state.holds.values()].filter(one => one.buyerId === buyerId && one.showId === showId);
		const open = own.filter(one => isOpen(one, state.atMs));
		assert.ok(open.length <= MAX_OPEN_HOLDS, `${buyerId} has ${open.length} open holds`);
		if (known.queues.has(showId))
			assert.ok(state.queue.get(`${showId} ${buyerId}`)?.isAdmitted, `${buyerId} holds seats without admission`);
	};

	const checkChange = (was: StoredHold, hold: StoredHold, state: State, beganAtMs: number) => {
		assert.deepEqual({ ...hold, state: was.state }, was, "a hold has changed");
		if (was.state === hold.state) return;
		assert.equal(was.state, "reserved", `${hold.holdId} became ${hold.state} after it was ${was.state}`);
		if (hold.state === "deducted") assert.ok(beganAtMs < hold.endMs, "a hold was sold after its end");
		else if (known.released.has(hold.holdId)) return;
		else {
			assert.ok(hold.endMs <= state.atMs, "a hold was given back before its end");
			assert.ok(expired.has(hold.holdId), "a hold was given back without hold.expired");
			const lateMs = state.atMs - Math.max(hold.endMs, (known.calmSinceMs ?? state.atMs) + RECOVERY_MS);
			assert.ok(lateMs <= MAX_SWEEP_MS, `a hold was given back ${lateMs} ms after its end`);
		}
	};

	const checkHolds = (state: State, beganAtMs: number) => {
		for (const hold of state.holds.values()) {
			const was = before?.holds.get(hold.holdId);
			if (was) checkChange(was, hold, state, beganAtMs);
			// A holder that was given back before it reserved anything has no row of its own.
			else if (hold.reserved.length > 0) checkNew(hold, state, beganAtMs);
		}
		for (const [holdId, buyerId] of known.confirmed) {
			const hold = state.holds.get(holdId);
			assert.deepEqual([hold?.state, hold?.buyerId], ["deducted", buyerId], "an acknowledged confirmation was lost");
		}
	};

	const checkAdmissions = (showId: string, state: State, beganAtMs: number) => {
		const { opensAtMs, admitPerSecond } = known.queues.get(showId)!;
		const all = [...state.queue.values()].filter(one => one.showId === showId);
		const placed = all.filter(({ place }) => place !== null).sort((one, other) => one.place! - other.place!);
		const admitted = all.filter(({ isAdmitted }) => isAdmitted);
		assert.deepEqual(
			placed.slice(0, admitted.length),
			placed.filter(({ isAdmitted }) => isAdmitted),
			"not admitted in order"
		);
		assert.equal(new Set(placed.map(({ place }) => place)).size, placed.length, "one place was given twice");
		assert.equal(admitted.length, admitted.filter(({ place }) => place !== null).length, "admitted without a place");
		if (placed.length > 0) assert.ok(opensAtMs <= state.atMs, "a place was given before the queue opened");
		const early = placed.filter(({ joinedMs }) => joinedMs < opensAtMs);
		const late = placed.filter(({ joinedMs }) => joinedMs >= opensAtMs);
		assert.deepEqual(
			early,
			early.toSorted((one, other) => (one.lot! < other.lot! ? -1 : 1)),
			"the early ones are not in the order of their lots"
		);
		assert.deepEqual(
			late,
			late.toSorted((one, other) => one.joinedMs - other.joinedMs),
			"the late ones are not in the order in which they came"
		);
		if (early.length > 0 && late.length > 0)
			assert.ok(early.at(-1)!.place! < late[0]!.place!, "a late one is before an early one");

		for (const { userId } of admitted)
			assert.ok(published.has(`${showId} ${userId}`), `${userId} was admitted without a message`);
		const admittedBefore = admissions.get(showId) ?? [];
		admissions.set(showId, admittedBefore);
		while (admittedBefore.length < admitted.length) admittedBefore.push({ beganAtMs, endedAtMs: state.atMs });
		const burst = Math.max(1, admitPerSecond);
		for (const [first, { beganAtMs: fromMs }] of admittedBefore.entries())
			for (const [last, { endedAtMs: toMs }] of [...admittedBefore.entries()].slice(first))
				assert.ok(
					last - first + 1 <= burst + (admitPerSecond * (toMs - fromMs)) / 1_000 + 1e-6,
					`${last - first + 1} were admitted in ${toMs - fromMs} ms, at ${admitPerSecond} per second`
				);
	};

	const checkQueue = (state: State, beganAtMs: number) => {
		for (const [key, was] of before?.queue ?? []) {
			const one = state.queue.get(key);
			assert.ok(one, "a place in the queue was lost");
			if (was.place !== null) assert.equal(one.place, was.place, "a place has changed");
			if (was.isAdmitted) assert.ok(one.isAdmitted, "an admission was lost");
			assert.deepEqual([one.lot, one.joinedMs], [was.lot, was.joinedMs], "joining again has changed a place");
		}
		assert.equal([...state.queue.values()].filter(({ isAdmitted }) => isAdmitted).length, published.size);
		for (const showId of known.queues.keys()) checkAdmissions(showId, state, beganAtMs);
	};

	return {
		/** The statuses of a show at a version that was committed. */
		mapAt: (showId: string, version: number) => versions.get(showId)?.[version],
		/** Throws if the commit that led to this state breaks a promise. */
		afterCommit(state: State & { messages: Message[] }, beganAtMs: number) {
			for (const [showId, version] of state.versions) {
				if (replayed.has(showId)) continue;
				assert.equal(version, 0, "the version of a new show");
				const seats = new Map([...(state.statuses.get(showId)?.keys() ?? [])].map(seat => [seat, "free" as Status]));
				replayed.set(showId, { version: 0, seats });
				versions.set(showId, [new Map(seats)]);
			}
			for (const { topic, message } of state.messages) {
				if (topic === "seats.updated") applyUpdate(message);
				else if (topic === "hold.expired") applyExpired(message, state);
				else if (topic === "queue.updated") applyAdmission(message);
			}
			checkMaps(state);
			checkHolders(state);
			checkHolds(state, beganAtMs);
			checkQueue(state, beganAtMs);
			before = state;
		}
	};
}
