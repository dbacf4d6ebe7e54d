// The promises about reservations that expire: by the clock of Postgres alone, and what has expired can be reserved at once.
import assert from "node:assert/strict";
import { it, mock } from "node:test";
import {
	ask,
	clearExpired,
	held,
	id,
	levelOf,
	MINUTE_MS,
	type Nodes,
	nothingBroken,
	openItem,
	passMs,
	timeOf
} from "./reservation.fixture.ts";
import type { Movement } from "./reservation.rules.ts";
import type { OnMoved } from "./reservation.store.ts";

const HOUR_MS = 60 * MINUTE_MS;
const unlessExpired = true;

export const expiresInTime = (nodes: () => Nodes) => {
	it("answers when a reservation expires, also when the request is repeated, and after the deduction", async () => {
		const {
			knex,
			timed: [one, two]
		} = nodes();
		const onMoved = async () => {};
		const expiresAt = new Date((await timeOf(knex)).getTime() + MINUTE_MS);
		for (const options of [{}, { onMoved }]) {
			const [item, holder, forever] = [await openItem(nodes(), 9), id("hold"), id("holder")];
			const requests = [ask(holder, item, MINUTE_MS), ask(holder, item, MINUTE_MS), ask(forever, item)];
			const again = { done: "again", expiresAt };
			assert.deepEqual(await one.reserve(requests, options), [{ done: "reserved", expiresAt }, again, { done: "reserved" }]);
			assert.deepEqual(await two.reserve(requests, options), [again, again, { done: "again" }]);
			assert.deepEqual(await two.reserve([ask(holder, item, 5 * MINUTE_MS)], options), [again], "it is not extended");
			await one.deduct([holder, forever], { unlessExpired });
			assert.deepEqual(await two.reserve(requests, options), [again, again, { done: "again" }]);
		}
	});

	it("gives back what has expired, once over all nodes, and nothing else", async () => {
		await clearExpired(nodes());
		const {
			knex,
			timed: [one, two]
		} = nodes();
		const [[seat, ended], [other, sold]] = [await held(nodes()), await held(nodes())];
		await passMs(knex, MINUTE_MS - 1);
		assert.deepEqual(await one.expire(), []);
		assert.deepEqual(await one.deduct([sold], { unlessExpired }), ["deducted"]);
		await passMs(knex, 1);
		const expired = await Promise.all([one.expire(), two.expire(), one.expire()]);
		assert.deepEqual(expired.flat(), [ended]);
		assert.deepEqual(
			[await levelOf(nodes(), seat), await levelOf(nodes(), other)],
			[
				[1, 0],
				[0, 0]
			]
		);
		assert.deepEqual(await one.deduct([ended]), ["given back"]);
		assert.deepEqual(await one.reserve([ask(id("hold"), seat)]), [{ done: "reserved" }], "the seat can be had again");
	});

	it("gives back at most as many as asked for, the earliest first", async () => {
		await clearExpired(nodes());
		const { knex, timed } = nodes();
		const item = await openItem(nodes(), 3);
		const [late, early, middle] = [id("hold"), id("hold"), id("hold")];
		await timed[0].reserve([ask(late, item, 3_000), ask(early, item, 1_000), ask(middle, item, 2_000)]);
		await passMs(knex, MINUTE_MS);
		const limit = 2;
		assert.deepEqual(await timed[0].expire({ limit }), [early, middle]);
		assert.deepEqual(await timed[1].expire({ limit }), [late]);
	});

	it("looks for expired reservations with one statement", async () => {
		await clearExpired(nodes());
		const { knex, timed } = nodes();
		const statements: string[] = [];
		const collect = ({ sql }: { sql: string }) => statements.push(sql);
		knex.on("query", collect);
		const expired = await timed[0].expire().finally(() => knex.removeListener("query", collect));
		assert.deepEqual(expired, []);
		assert.equal(statements.length, 1, statements.join("\n"));
	});

	it("deducts until the end, and not from then on if asked so, also before it is given back", async () => {
		await clearExpired(nodes());
		const {
			knex,
			timed: [one, two]
		} = nodes();
		const [seat, ended] = await held(nodes());
		const [other, late] = await held(nodes());
		await passMs(knex, MINUTE_MS);
		assert.deepEqual(await one.deduct([ended, ended], { unlessExpired }), ["expired", "expired"]);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 1], "nothing has moved");
		assert.deepEqual(await two.deduct([late]), ["deducted"], "without that, an expired one too");
		assert.deepEqual(await two.deduct([late], { unlessExpired }), ["again"]);
		assert.deepEqual(await one.expire(), [ended]);
		assert.deepEqual(await one.deduct([ended], { unlessExpired }), ["given back"]);
		assert.deepEqual(
			[await levelOf(nodes(), seat), await levelOf(nodes(), other)],
			[
				[1, 0],
				[0, 0]
			]
		);
		await nothingBroken(nodes());
	});

	it("refuses a repeated request after its end, before and after it is given back, also when the item is free again", async () => {
		await clearExpired(nodes());
		const {
			knex,
			timed: [one, two]
		} = nodes();
		const [seat, ended] = await held(nodes());
		await passMs(knex, MINUTE_MS);
		const repeated = ask(ended, seat, MINUTE_MS);
		assert.deepEqual(await one.reserve([repeated]), [{ refused: "EXPIRED" }]);
		assert.deepEqual(await two.expire(), [ended]);
		assert.deepEqual(await one.reserve([repeated]), [{ refused: "GIVEN_BACK" }]);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 0]);
	});

	it("reserves an item whose reservation has expired, at once", async () => {
		const {
			knex,
			timed: [one, two]
		} = nodes();
		const moved: [string, string][][] = [];
		const onMoved = async (_: unknown, movements: Movement[]) =>
			void moved.push(movements.map(({ holder, kind }) => [holder, kind]));
		for (const options of [{}, { onMoved }]) {
			const [[seat, ended], next] = [await held(nodes()), id("hold")];
			const missing = [{ item: seat, requested: 1, available: 0 }];
			await passMs(knex, MINUTE_MS - 1);
			assert.deepEqual(await two.reserve([ask(next, seat, MINUTE_MS)], options), [{ refused: "OUT_OF_STOCK", missing }]);
			await passMs(knex, 1);
			const expiresAt = new Date((await timeOf(knex)).getTime() + MINUTE_MS);
			assert.deepEqual(await two.reserve([ask(next, seat, MINUTE_MS)], options), [{ done: "reserved", expiresAt }]);
			assert.deepEqual(await one.deduct([ended, next], { unlessExpired }), ["given back", "deducted"]);
			assert.deepEqual(await levelOf(nodes(), seat), [0, 0]);
			if (options.onMoved) assert.deepEqual(moved, [[[ended, "release"]], [[next, "reserve"]]]);
		}
		await nothingBroken(nodes());
	});

	it("gives back all items of an expired holder, and leaves expired holders that nobody needs to the sweep", async () => {
		await clearExpired(nodes());
		const { knex, timed } = nodes();
		const [[needed], [other, unneeded]] = [await held(nodes()), await held(nodes())];
		const [left, right, pair] = [await openItem(nodes(), 1), await openItem(nodes(), 1), id("hold")];
		const lines = [left, right].map(item => ({ item, quantity: 1 }));
		await timed[0].reserve([{ holder: pair, lines, lifetimeMs: MINUTE_MS }]);
		await passMs(knex, MINUTE_MS);
		const [answer] = await timed[1].reserve([{ holder: id("hold"), lines: [lines[0]!, { item: needed, quantity: 1 }] }]);
		assert.deepEqual(answer, { done: "reserved" });
		assert.deepEqual(await levelOf(nodes(), right), [1, 0]);
		assert.deepEqual(await levelOf(nodes(), other), [1, 1]);
		assert.deepEqual(await timed[0].expire(), [unneeded]);
	});

	it("decides only what was refused once more, after the others of its batch", async () => {
		const { knex, timed } = nodes();
		const [[seat], free] = [await held(nodes()), await openItem(nodes(), 1)];
		await passMs(knex, MINUTE_MS);
		const [both, single] = [id("hold"), id("hold")];
		const lines = [seat, free].map(item => ({ item, quantity: 1 }));
		assert.deepEqual(await timed[0].reserve([{ holder: both, lines }, ask(single, free)]), [
			{ refused: "OUT_OF_STOCK", missing: [{ item: free, requested: 1, available: 0 }] },
			{ done: "reserved" }
		]);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 0]);
	});

	it("answers what it has reserved, although the second decision about the others fails", async () => {
		const { knex, timed } = nodes();
		const failure = new Error("connection lost");
		const failing = (moved: string): OnMoved => {
			let calls = 0;
			return async (_, movements) => {
				if (movements.some(({ kind }) => kind === moved) && (moved === "release" || ++calls === 2)) throw failure;
			};
		};
		for (const moved of ["release", "reserve"]) {
			const [[seat], free, holder, other] = [await held(nodes()), await openItem(nodes(), 1), id("hold"), id("hold")];
			await passMs(knex, MINUTE_MS);
			const requests = [ask(other, seat), ask(holder, free)];
			assert.deepEqual(await timed[0].reserve(requests, { onMoved: failing(moved) }), [failure, { done: "reserved" }], moved);
			assert.deepEqual(await levelOf(nodes(), free), [1, 1]);
			assert.deepEqual(await timed[1].reserve(requests), [{ done: "reserved" }, { done: "again" }], "repeated");
		}
		const [seat] = await held(nodes());
		await passMs(knex, MINUTE_MS);
		const rejected = timed[0].reserve([ask(id("hold"), seat)], { onMoved: failing("release") });
		await assert.rejects(rejected, failure, "nothing is reserved");
		await nothingBroken(nodes());
	});

	for (const offMs of [-HOUR_MS, HOUR_MS])
		it(`expires by the clock of Postgres when that of this process is ${offMs / MINUTE_MS} minutes off`, async () => {
			const {
				knex,
				stores: [one]
			} = nodes();
			const [item, long, short] = [await openItem(nodes(), 9), id("hold"), id("hold")];
			const lifetimesMs = [HOUR_MS / 2, 0];
			// The embedded Postgres has the clock of this process: there, only the comparisons below show anything.
			mock.timers.enable({ apis: ["Date"], now: Date.now() + offMs });
			try {
				const before = await timeOf(knex, "now()");
				const answers = await one.reserve([long, short].map((holder, n) => ask(holder, item, lifetimesMs[n])));
				const after = await timeOf(knex, "now()");
				for (const [n, answer] of answers.entries()) {
					assert.ok("done" in answer && answer.expiresAt);
					const reservedAt = answer.expiresAt.getTime() - lifetimesMs[n]!;
					assert.ok(before.getTime() <= reservedAt && reservedAt <= after.getTime(), String(answer.expiresAt));
				}
				assert.deepEqual(await one.deduct([long, short], { unlessExpired }), ["deducted", "expired"]);
				assert.deepEqual(
					(await one.expire()).filter(holder => [long, short].includes(holder)),
					[short]
				);
			} finally {
				mock.timers.reset();
			}
		});
};
