import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { admit, lotOf, nextAtUs, type ShowQueue, toMessages, toPlace } from "./queue.rules.ts";

const SECOND_US = 1_000_000;
const OPENS_US = Date.UTC(2026, 0, 31, 12) * 1_000;
const STARTS_US = Date.UTC(2026, 2, 1, 19) * 1_000;
const iso = (us: number) => new Date(us / 1_000).toISOString();

const queueWith = (given: Partial<ShowQueue> = {}): ShowQueue => ({
	showId: "show",
	nowUs: OPENS_US,
	startsAtUs: STARTS_US,
	opensAtUs: OPENS_US,
	perSecond: 10,
	isOpen: true,
	places: 100,
	admitted: 0,
	emptyAtUs: null,
	...given
});
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** The queue after one round. */
const round = (queue: ShowQueue, limit = NO_LIMIT) => admit([queue], limit).after[0]!;

describe("lots", () => {
	const users = Array.from({ length: 50 }, (_, n) => `user-${n}`);
	const drawn = (secret: string) => users.toSorted((one, other) => (lotOf(secret, one) < lotOf(secret, other) ? -1 : 1));

	it("are the HMAC of the account with the secret of the show", () => {
		assert.equal(lotOf("secret", "user-1"), createHmac("sha256", "secret").update("user-1").digest("hex"));
		assert.deepEqual(drawn("secret"), drawn("secret"));
	});

	it("order the same accounts differently for another show", () => {
		assert.notDeepEqual(drawn("secret"), drawn("another"));
		assert.notDeepEqual(drawn("secret"), users);
	});
});

describe("admission", () => {
	it("admits one second's worth at once, then at the rate", () => {
		const opened = round(queueWith());
		assert.equal(opened.admitted, 10);
		assert.equal(round(opened).admitted, 10);
		assert.equal(round({ ...opened, nowUs: OPENS_US + 0.5 * SECOND_US }).admitted, 15);
		assert.equal(round({ ...opened, nowUs: OPENS_US + 60 * SECOND_US }).admitted, 20, "a pause saves one second's worth");
	});

	it("admits one account every two seconds at a rate of 0.5", () => {
		let queue = queueWith({ perSecond: 0.5 });
		const admitted = [0, 1, 1.9, 2, 3.9, 4].map(seconds => {
			queue = round({ ...queue, nowUs: OPENS_US + seconds * SECOND_US });
			return queue.admitted;
		});
		assert.deepEqual(admitted, [1, 1, 1, 2, 2, 3]);
	});

	it("admits nobody from a queue that is not open, and not more than wait", () => {
		assert.deepEqual(admit([queueWith({ isOpen: false })], NO_LIMIT).admissions, []);
		assert.equal(round(queueWith({ places: 3 })).admitted, 3);
		assert.deepEqual(admit([queueWith({ places: 3, admitted: 3 })], NO_LIMIT).admissions, []);
	});

	it("admits at most the limit from all queues together, and the rest is due at once", () => {
		const { admissions, after } = admit([queueWith({ showId: "one" }), queueWith({ showId: "two" })], 15);
		assert.deepEqual(
			admissions.map(({ showId, count }) => [showId, count]),
			[
				["one", 10],
				["two", 5]
			]
		);
		assert.ok(nextAtUs(after[0]!)! > OPENS_US);
		assert.ok(nextAtUs(after[1]!)! <= OPENS_US);
	});

	it("lets no queue wait for another one that uses up the limit of every round", () => {
		let queues = [queueWith({ showId: "fast", perSecond: 5_000, places: NO_LIMIT }), queueWith({ showId: "slow", perSecond: 2 })];
		for (let n = 0; n < 30; n++) {
			const nowUs = OPENS_US + n * 0.1 * SECOND_US;
			queues = admit(
				queues.map(queue => ({ ...queue, nowUs })),
				100
			).after.toSorted((one, other) => one.showId.localeCompare(other.showId));
		}
		const [fast, slow] = queues.map(({ admitted }) => admitted);
		assert.ok(slow! >= 4, `${slow} of the slow queue in 3 s, ${fast} of the fast one`);
		assert.equal(fast! + slow!, 30 * 100);
	});

	it("never exceeds the rate in any interval, and uses it fully", () => {
		const rates = fc.oneof(fc.double({ min: 0.01, max: 10_000, noNaN: true }), fc.constantFrom(0.5, 1, 1.5, 3, 7, 12.5));
		const pausesUs = fc.array(fc.nat(5 * SECOND_US), { minLength: 1, maxLength: 60 });
		fc.assert(
			fc.property(rates, pausesUs, (perSecond, pauses) => {
				const burst = Math.max(1, perSecond);
				let queue = queueWith({ perSecond, places: NO_LIMIT });
				const seen: { atUs: number; before: number; admitted: number }[] = [];
				for (const pauseUs of [0, ...pauses]) {
					const before = queue.admitted;
					queue = round({ ...queue, nowUs: queue.nowUs + pauseUs });
					seen.push({ atUs: queue.nowUs, before, admitted: queue.admitted });
				}
				for (const [n, first] of seen.entries())
					for (const last of seen.slice(n)) {
						const most = burst + (perSecond * (last.atUs - first.atUs)) / SECOND_US;
						assert.ok(last.admitted - first.before <= most + 1e-6, `${last.admitted - first.before} > ${most}`);
					}
				// No token is lost unless the bucket was full: each pause adds its tokens, up to the burst. Rounding costs less than 1 µs a round.
				let tokens = burst;
				let least = 0;
				for (const [n, { atUs }] of seen.entries()) {
					if (n > 0) tokens = Math.min(burst, tokens + (perSecond * (atUs - seen[n - 1]!.atUs)) / SECOND_US);
					const count = Math.floor(tokens);
					tokens -= count;
					least += count;
				}
				const roundingTokens = 1 + (perSecond * seen.length) / SECOND_US;
				assert.ok(queue.admitted >= least - roundingTokens, `${queue.admitted} of ${least}`);
			})
		);
	});

	it("says when the next account is admitted, when a queue opens, and that nobody waits", () => {
		assert.equal(nextAtUs(queueWith()), OPENS_US);
		assert.equal(nextAtUs(round(queueWith())), OPENS_US + 0.1 * SECOND_US + 1);
		assert.equal(nextAtUs(queueWith({ isOpen: false, nowUs: OPENS_US - SECOND_US })), OPENS_US);
		assert.equal(nextAtUs(queueWith({ admitted: 100 })), undefined);
	});

	it("has something to do when it says so, at any rate", () => {
		const rates = fc.oneof(
			fc.double({ min: 1e-3, max: 10_000, noNaN: true }),
			fc.integer({ min: 100, max: 10_000_000 }).map(us => SECOND_US / us)
		);
		fc.assert(
			fc.property(rates, fc.nat(SECOND_US), (perSecond, laterUs) => {
				let queue = round(queueWith({ perSecond, places: NO_LIMIT, nowUs: OPENS_US + laterUs }));
				for (let n = 0; n < 20; n++) {
					const { admitted } = queue;
					queue = round({ ...queue, nowUs: nextAtUs(queue)! });
					assert.ok(queue.admitted > admitted, `nobody was admitted in round ${n}`);
				}
			})
		);
	});

	it("waits for the old time if the clock was set back, and does not admit twice for it", () => {
		const opened = round(queueWith());
		assert.equal(round({ ...opened, nowUs: OPENS_US - 5 * SECOND_US }).admitted, 10);
		assert.equal(nextAtUs({ ...opened, nowUs: OPENS_US - 5 * SECOND_US }), OPENS_US + 0.1 * SECOND_US + 1);
	});
});

describe("a place", () => {
	it("is admitted until the show starts", () => {
		assert.deepEqual(toPlace(queueWith(), -1), { state: "admitted", ahead: 0, until: iso(STARTS_US) });
	});

	it("says when it is admitted if the rate is used fully", () => {
		const untilOf = (queue: ShowQueue, ahead: number) => (Date.parse(toPlace(queue, ahead).until) * 1_000 - OPENS_US) / SECOND_US;
		const closed = queueWith({ isOpen: false, nowUs: OPENS_US - 60 * SECOND_US });
		assert.deepEqual(
			[0, 9, 10, 29].map(ahead => untilOf(closed, ahead)),
			[0, 0, 0.1, 2],
			"before the opening"
		);
		const empty = round(queueWith());
		assert.deepEqual(
			[0, 9].map(ahead => untilOf(empty, ahead)),
			[0.1, 1],
			"with an empty bucket"
		);
		assert.equal(untilOf({ ...empty, nowUs: OPENS_US + 0.05 * SECOND_US }, 0), 0.1, "with half a token");
	});

	it("says exactly that time, as the admission then shows", () => {
		fc.assert(
			fc.property(fc.constantFrom(0.5, 3, 12.5, 50), fc.nat(200), (perSecond, ahead) => {
				let queue = queueWith({ perSecond, places: 1_000 });
				const untilUs = Date.parse(toPlace({ ...queue, isOpen: false }, ahead).until) * 1_000;
				// In rounds that are due one after the other, so that no token is lost.
				for (let atUs = OPENS_US; queue.admitted <= ahead; atUs = nextAtUs(queue)!) queue = round({ ...queue, nowUs: atUs });
				// The answer has whole ms, and each round may be 1 µs late.
				assert.ok(Math.abs(queue.nowUs - untilUs) <= 1_000 + 2 * ahead, `${queue.nowUs - untilUs} µs`);
			})
		);
	});

	it("has a time with four digits of the year also at a very low rate", () => {
		for (const perSecond of [1e-12, 1e-300, 5e-324]) {
			assert.equal(toPlace(queueWith({ perSecond }), 5).until, "9999-12-31T23:59:59.999Z");
			assert.equal(toPlace(round(queueWith({ perSecond })), 5).until, "9999-12-31T23:59:59.999Z");
			assert.equal(round(queueWith({ perSecond })).emptyAtUs, OPENS_US);
		}
	});
});

describe("messages of an admission", () => {
	it("go to each admitted account", () => {
		const queues = [queueWith(), queueWith({ showId: "other", startsAtUs: STARTS_US + SECOND_US })];
		const place = { state: "admitted", ahead: 0 };
		assert.deepEqual(
			toMessages(queues, [
				{ showId: "other", userId: "b" },
				{ showId: "show", userId: "a" }
			]),
			[
				{ topic: "queue.updated", message: { showId: "other", userId: "b", ...place, until: iso(STARTS_US + SECOND_US) } },
				{ topic: "queue.updated", message: { showId: "show", userId: "a", ...place, until: iso(STARTS_US) } }
			]
		);
	});
});
