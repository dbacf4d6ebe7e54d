// Whether the answers of seats are right: each is compared with what Postgres held between the request and its answer.
import assert from "node:assert/strict";
import type { Hold, Place, SeatMap, Sold } from "../../services/seats/seats.contract.ts";
import { type Known, MAX_OPEN_HOLDS, type seatsChecker } from "./seats.check.ts";
import { couldBeFree, couldBeTaken, isOpen, type Span, type State, spansOf } from "./seats.state.ts";

export interface SimulatedShow {
	showId: string;
	/** Of each seat. */
	seats: Map<string, { category: string; price: number }>;
}

export type Wanted = { seats: string[] } | { best: { count: number; category?: string } };

export interface HoldRequest {
	buyerId: string;
	show: SimulatedShow;
	wanted: Wanted;
	key?: string;
}

interface Refusal {
	type: string;
	code: number;
	data: Record<string, string[]>;
}

/** All requests under one idempotency key of a buyer and a show. */
interface Keyed {
	wanted: Set<string>;
	answer?: Hold;
}

/** After this many changes of the map while it is decided, a request for the best seats may be refused. */
const MAX_CHANGES = 3;

export function answersChecker(
	states: readonly State[],
	known: Known,
	{ mapAt }: Pick<ReturnType<typeof seatsChecker>, "mapAt">
) {
	const keyed = new Map<string, Keyed>();
	const latest = () => states.at(-1)!;
	const keyedOf = ({ buyerId, show, key }: HoldRequest) => {
		const name = `${buyerId} ${show.showId} ${key}`;
		const one = keyed.get(name) ?? { wanted: new Set() };
		keyed.set(name, one);
		return one;
	};

	const checkWanted = (wanted: Wanted, { seats }: Hold, show: SimulatedShow) => {
		if ("seats" in wanted) return assert.deepEqual(seats.toSorted(), wanted.seats.toSorted(), "other seats than those asked for");
		const { count, category } = wanted.best;
		assert.equal(new Set(seats).size, count, "another number of seats than asked for");
		if (category) for (const seat of seats) assert.equal(show.seats.get(seat)?.category, category);
	};

	/** The seats of a category, or of all, that were free all the time. */
	const freeSeats = (span: Span, { showId, seats }: SimulatedShow, category?: string) =>
		[...seats].filter(([seat, { category: own }]) => (category ?? own) === own && !couldBeTaken(span, showId, seat)).length;

	/** All holds of a buyer that were open at some time. Together, because one may end while the request that counts them runs. */
	const openHolds = (spans: Span[], buyerId: string, showId: string) =>
		new Set(
			spans.flatMap(({ state, fromMs }) =>
				[...state.holds.values()]
					.filter(hold => hold.buyerId === buyerId && hold.showId === showId && isOpen(hold, fromMs))
					.map(({ holdId }) => holdId)
			)
		).size;

	const checkTaken = (spans: Span[], { show: { showId, seats }, wanted }: HoldRequest, taken: string[]) => {
		assert.ok(taken.length > 0, "SEATS_TAKEN names no seat");
		const asked = "seats" in wanted ? wanted.seats : [...seats.keys()];
		for (const seat of taken) {
			assert.ok(asked.includes(seat), `SEATS_TAKEN names ${seat}, which was not asked for`);
			assert.ok(
				spans.some(span => couldBeTaken(span, showId, seat)),
				`SEATS_TAKEN names ${seat}, which was free`
			);
		}
		if ("seats" in wanted)
			for (const seat of asked.filter(one => !taken.includes(one)))
				assert.ok(
					spans.some(span => couldBeFree(span, showId, seat)),
					`SEATS_TAKEN does not name ${seat}, which was taken`
				);
	};

	const holdRefusals: Record<string, (spans: Span[], request: HoldRequest, data: Refusal["data"], nowMs: number) => void> = {
		SEATS_TAKEN(spans, request, { taken }) {
			// Seats that others took while the best ones were looked for.
			if ("best" in request.wanted) assert.ok(spans.length > MAX_CHANGES, "the best seats are taken, and nobody took them");
			else checkTaken(spans, request, taken!);
		},
		NOT_ENOUGH_SEATS(spans, { show, wanted }) {
			assert.ok("best" in wanted);
			const { count, category } = wanted.best;
			const isShort = spans.some(span => freeSeats(span, show, category) < count);
			assert.ok(isShort || spans.length > MAX_CHANGES, "NOT_ENOUGH_SEATS, and there were enough");
		},
		TOO_MANY_HOLDS(spans, { buyerId, show }) {
			const most = openHolds(spans, buyerId, show.showId);
			assert.ok(most >= MAX_OPEN_HOLDS, `TOO_MANY_HOLDS with ${most} open holds`);
		},
		NOT_ADMITTED([before], { buyerId, show: { showId } }) {
			assert.ok(known.queues.has(showId), "NOT_ADMITTED to a show without a queue");
			assert.ok(!before!.state.queue.get(`${showId} ${buyerId}`)?.isAdmitted, "NOT_ADMITTED after the admission");
		},
		CONFLICT(_, request) {
			assert.ok(request.key !== undefined && keyedOf(request).wanted.size > 1, "CONFLICT, and no other request had this key");
		},
		HOLD_EXPIRED(_, request, __, nowMs) {
			assert.ok(request.key !== undefined, "HOLD_EXPIRED without a key");
			const hold = latest().holds.get(keyedOf(request).answer?.holdId ?? "");
			if (hold)
				assert.ok(
					hold.state === "given back" || (hold.state === "reserved" && hold.endMs <= nowMs),
					"HOLD_EXPIRED before the end"
				);
		}
	};

	return {
		/** Call it before the request is sent. */
		sending(request: HoldRequest) {
			if (request.key !== undefined) keyedOf(request).wanted.add(JSON.stringify(request.wanted));
		},

		hold(request: HoldRequest, answer: Hold, sentAtMs: number, nowMs: number) {
			const { buyerId, show, wanted } = request;
			checkWanted(wanted, answer, show);
			const cents = answer.seats.reduce((sum, seat) => sum + Math.round(show.seats.get(seat)!.price * 100), 0);
			assert.equal(Math.round(answer.total * 100), cents, "the total of a hold");
			const stored = latest().holds.get(answer.holdId);
			assert.ok(stored, "a hold was answered that is not stored");
			assert.deepEqual(
				[stored.buyerId, stored.showId, stored.reserved, stored.endMs],
				[buyerId, show.showId, answer.seats.toSorted(), Date.parse(answer.expiresAt)],
				"the answer, and the hold that is stored"
			);
			assert.equal(answer.showId, show.showId);
			const before = spansOf(states, sentAtMs, nowMs)[0]!.state.holds.get(answer.holdId);
			const wasOver = before?.state === "given back" || (before?.state === "reserved" && before.endMs <= sentAtMs);
			assert.ok(!wasOver || stored.state === "deducted", "a hold was answered that had ended before the request");
			if (request.key === undefined) return;
			const one = keyedOf(request);
			one.answer ??= answer;
			assert.deepEqual(answer, one.answer, "one idempotency key, two holds");
		},

		holdRefused(request: HoldRequest, { type, data }: Refusal, sentAtMs: number, nowMs: number) {
			const check = holdRefusals[type];
			assert.ok(check, `a hold was refused as ${type}`);
			check(spansOf(states, sentAtMs, nowMs), request, data ?? {}, nowMs);
		},

		confirmed(holdId: string, buyerId: string, answer: Sold) {
			const stored = latest().holds.get(holdId)!;
			assert.equal(stored.state, "deducted", "a confirmation was answered that is not stored");
			assert.equal(stored.buyerId, buyerId, "a hold was confirmed for another buyer");
			assert.deepEqual(
				{ ...answer, seats: answer.seats.toSorted() },
				{ holdId, showId: stored.showId, seats: stored.reserved, status: "sold" }
			);
			known.confirmed.set(holdId, buyerId);
		},

		confirmRefused(holdId: string, buyerId: string, { type }: Refusal, sentAtMs: number, nowMs: number) {
			const stored = latest().holds.get(holdId)!;
			if (stored.buyerId !== buyerId) return assert.equal(type, "NOT_FOUND");
			assert.equal(type, "HOLD_EXPIRED");
			assert.notEqual(
				spansOf(states, sentAtMs, nowMs)[0]!.state.holds.get(holdId)!.state,
				"deducted",
				"HOLD_EXPIRED of a sold hold"
			);
			assert.ok(stored.endMs <= nowMs || stored.state === "given back", "HOLD_EXPIRED before the end");
		},

		released(holdId: string, buyerId: string) {
			const stored = latest().holds.get(holdId)!;
			assert.equal(stored.buyerId, buyerId, "a hold was released by another account");
			assert.equal(stored.state, "given back", "a release was answered that is not stored");
		},

		releaseRefused(holdId: string, buyerId: string, { type }: Refusal) {
			const stored = latest().holds.get(holdId)!;
			if (stored.buyerId !== buyerId) return assert.equal(type, "NOT_FOUND");
			assert.equal(type, "CONFLICT");
			assert.equal(stored.state, "deducted", "the release of a hold was refused that is not sold");
		},

		map({ showId, seats }: SimulatedShow, answer: SeatMap, sentAtMs: number, nowMs: number) {
			const least = spansOf(states, sentAtMs, nowMs)[0]!.state.versions.get(showId)!;
			assert.ok(answer.version >= least, `the map has version ${answer.version} after ${least} was committed`);
			const statuses = mapAt(showId, answer.version);
			assert.ok(statuses, `the map has version ${answer.version}, which never was`);
			assert.deepEqual(
				answer.seats.map(({ seat, status, category, price }) => ({ seat, status, category, price })),
				[...seats].map(([seat, rest]) => ({ seat, status: statuses.get(seat), ...rest }))
			);
		},

		holds(buyerId: string, answer: Hold[], sentAtMs: number, nowMs: number) {
			const spans = spansOf(states, sentAtMs, nowMs);
			const listed = new Set(answer.map(({ holdId }) => holdId));
			for (const holdId of listed) {
				assert.equal(latest().holds.get(holdId)?.buyerId, buyerId, "the list has a hold of another account");
				const wasOpen = spans.some(({ state, fromMs }) => state.holds.has(holdId) && isOpen(state.holds.get(holdId)!, fromMs));
				assert.ok(wasOpen, "the list has a hold that is not open");
			}
			for (const [holdId, hold] of spans[0]!.state.holds) {
				const isOpenAllTheTime = spans.every(({ state, toMs }) => isOpen(state.holds.get(holdId)!, toMs));
				if (hold.buyerId === buyerId && isOpenAllTheTime) assert.ok(listed.has(holdId), "the list lacks an open hold");
			}
		},

		place(userId: string, { showId }: SimulatedShow, answer: Place, sentAtMs: number, nowMs: number) {
			if (!known.queues.has(showId)) return assert.equal(answer.state, "admitted", "a show without a queue");
			const [before] = spansOf(states, sentAtMs, nowMs);
			const was = before!.state.queue.get(`${showId} ${userId}`);
			const is = latest().queue.get(`${showId} ${userId}`);
			assert.ok(is, "a place was answered that is not stored");
			if (was?.isAdmitted) assert.equal(answer.state, "admitted");
			if (answer.state === "admitted") assert.deepEqual([is.isAdmitted, answer.ahead], [true, 0], "admitted");
			if (answer.state === "admitted" || typeof was?.place !== "number") return;
			const aheadIn = ({ queue }: State) =>
				[...queue.values()].filter(
					one => one.showId === showId && !one.isAdmitted && one.place !== null && one.place < was.place!
				).length;
			assert.ok(aheadIn(latest()) <= answer.ahead && answer.ahead <= aheadIn(before!.state), `${answer.ahead} are ahead`);
		}
	};
}
