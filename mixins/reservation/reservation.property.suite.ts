// For any sequence of requests, repeated in any order: the ledger explains the levels, and nothing moves twice.
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { id, lockShow, type Nodes, passMs, timeOf, touchShow } from "./reservation.fixture.ts";
import { changed, Model } from "./reservation.model.fixture.ts";
import type { Line } from "./reservation.rules.ts";

type Step =
	| { do: "open"; item: number; stock: number }
	| { do: "set"; change: number; item: number; stock: number }
	| { do: "reserve"; requests: { holder: number; lines: { item: number; quantity: number }[]; lifetimeMs?: number }[] }
	| { do: "deduct"; holders: number[]; unlessExpired: boolean }
	| { do: "giveBack"; holders: number[]; reservedOnly: boolean }
	| { do: "pass"; ms: number }
	| { do: "expire" };

const ITEMS = 3;
const item = fc.nat(ITEMS - 1);
const holder = fc.nat(5);
const holders = fc.array(holder, { minLength: 1, maxLength: 4 });
const line = fc.record({ item, quantity: fc.integer({ min: 1, max: 4 }) });
const lines = fc.array(line, { minLength: 1, maxLength: 3 });
const request = fc.record({ holder, lines, lifetimeMs: fc.constantFrom(1_000, 3_000, undefined) });
const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({ do: fc.constant("open" as const), item, stock: fc.nat(12) }),
	fc.record({ do: fc.constant("set" as const), change: fc.nat(3), item, stock: fc.nat(12) }),
	{
		weight: 3,
		arbitrary: fc.record({ do: fc.constant("reserve" as const), requests: fc.array(request, { minLength: 1, maxLength: 4 }) })
	},
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("deduct" as const), holders, unlessExpired: fc.boolean() }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("giveBack" as const), holders, reservedOnly: fc.boolean() }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(999, 1_000, 2_000) }) },
	fc.record({ do: fc.constant("expire" as const) })
);

/** Maps the numbers of the steps to names that are unique to this run, and executes steps with them. `locking`: all transactions lock one more row. */
function world({ timed, knex }: Nodes, locking = false) {
	const run = id("run");
	const name = (what: string, n: number) => `${run} ${what} ${n}`;
	const toLines = (some: { item: number; quantity: number }[]): Line[] =>
		some.map(({ item, quantity }) => ({ item: name("item", item), quantity }));
	const items = Array.from({ length: ITEMS }, (_, n) => name("item", n));
	const toHolders = (some: number[]) => some.map(n => name("holder", n));
	const toChange = ({ change, item, stock }: { change: number; item: number; stock: number }) => ({
		holder: name("change", change),
		item: name("item", item),
		stock
	});
	const toRequests = ({ requests }: Step & { do: "reserve" }) =>
		requests.map(({ holder, lines: asked, ...rest }) => ({ holder: name("holder", holder), lines: toLines(asked), ...rest }));
	const onMoved = locking ? touchShow : undefined;
	const policy = locking ? lockShow : undefined;

	const take = async (one: Step, node = 0) => {
		const store = timed[node % 2]!;
		if (one.do === "open") return store.open([{ item: name("item", one.item), label: "L", stock: one.stock }]);
		if (one.do === "set") return (await store.set([toChange(one)], { onMoved })).map(changed);
		if (one.do === "reserve") return store.reserve(toRequests(one), { onMoved, policy });
		if (one.do === "deduct") return store.deduct(toHolders(one.holders), { onMoved, unlessExpired: one.unlessExpired });
		// An unknown holder would be inserted, and a policy locks the row before it inserts holders.
		const reservedOnly = one.do === "giveBack" && (locking || one.reservedOnly);
		if (one.do === "giveBack") return store.giveBack(toHolders(one.holders), { onMoved, reservedOnly });
		if (one.do === "pass") {
			await passMs(knex, one.ms);
			return undefined;
		}
		// Earlier runs have left reservations that expire now.
		return (await store.expire({ onMoved })).filter(holder => holder.startsWith(run)).sort();
	};

	const takeInModel = (one: Step, model: Model) => {
		if (one.do === "open") return model.open([{ item: name("item", one.item), stock: one.stock }]);
		if (one.do === "set") return model.set([toChange(one)]);
		if (one.do === "reserve") return model.reserve(toRequests(one));
		if (one.do === "deduct") return model.deduct(toHolders(one.holders), one);
		if (one.do === "giveBack") return model.giveBack(toHolders(one.holders), one);
		if (one.do === "expire") return model.expire().sort();
		model.now = new Date(model.now.getTime() + one.ms);
		return undefined;
	};

	/** Computed from the ledger's rows alone, without the store's own sums. */
	const holds = async () => {
		const movements = await knex("stock_movements").whereIn("item", items);
		const sum = (item: string, ...kinds: string[]) =>
			movements
				.filter(one => one.item === item && kinds.includes(one.kind))
				.reduce((total, { quantity }) => total + Number(quantity), 0);
		for (const level of await timed[0].levels(items)) {
			if (!level) continue;
			const { item, stock, reserved } = level;
			assert.equal(stock + sum(item, "deduct") - sum(item, "return"), sum(item, "open", "set"), `${item}: the equation`);
			assert.equal(reserved, sum(item, "reserve") - sum(item, "deduct", "release"), `${item}: what is reserved`);
			assert.ok(0 <= reserved && reserved <= stock, `${item}: ${reserved} of ${stock} reserved`);
		}
		for (const { holder, item, kind } of movements) {
			const has = (other: string) => movements.some(one => one.holder === holder && one.item === item && one.kind === other);
			if (["deduct", "release"].includes(kind)) assert.ok(has("reserve"), `${holder} ${kind} what it never reserved`);
			if (kind === "return") assert.ok(has("deduct"), `${holder} returned what it never had`);
			if (kind === "release") assert.ok(!has("deduct") && !has("return"), `${holder} gave back twice`);
		}
		const keys = movements.map(({ holder, item, kind }) => `${holder}/${item}/${kind}`);
		assert.equal(new Set(keys).size, keys.length);
	};
	return { take, takeInModel, holds, items, levels: () => timed[0].levels(items) };
}

export const holdsWhatever = (nodes: () => Nodes) => {
	it("explains every level after every step of any sequence of requests", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async steps => {
				const { take, holds } = world(nodes());
				for (const [n, one] of steps.entries()) {
					await take(one, n);
					await holds();
				}
			}),
			{ numRuns: 30 }
		);
		assert.deepEqual((await nodes().stores[0].equation()).broken, []);
	});

	it("answers what a plain model answers, whenever time passes and reservations expire", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async steps => {
				const { take, takeInModel, items, levels } = world(nodes());
				const model = new Model(await timeOf(nodes().knex));
				const opened = items.map((_, item): Step => ({ do: "open", item, stock: 6 }));
				for (const [n, one] of [...opened, ...steps].entries()) {
					const expected = takeInModel(one, model);
					assert.deepEqual(await take(one, n), expected, `step ${n}: ${one.do}`);
					const actual = (await levels()).map(level => level && { stock: level.stock, reserved: level.reserved });
					assert.deepEqual(
						actual,
						items.map(each => model.level(each))
					);
				}
			}),
			{ numRuns: 20, endOnFailure: true }
		);
	});

	it("moves nothing when all requests are repeated, in any order", async () => {
		// A refused request may succeed the next time: there is enough stock for all.
		const ample = fc.array(
			step.filter(one => one.do === "deduct" || one.do === "giveBack" || one.do === "reserve"),
			{ minLength: 1, maxLength: 10 }
		);
		await fc.assert(
			fc.asyncProperty(ample, fc.infiniteStream(fc.nat()), async (steps, random) => {
				const { take, holds, levels } = world(nodes());
				for (let n = 0; n < ITEMS; n++) await take({ do: "open", item: n, stock: 1_000_000 });
				const all = [...steps];
				for (const one of all) await take(one);
				// Once more: a deduction that came before its reservation would take effect only now.
				for (const one of all) await take(one);
				const before = await levels();
				const shuffled = all
					.map(one => ({ one, rank: random.next().value as number }))
					.sort((a, b) => a.rank - b.rank)
					.map(({ one }) => one);
				for (const one of shuffled) await take(one, 1);
				assert.deepEqual(await levels(), before);
				await holds();
			}),
			{ numRuns: 15 }
		);
	});

	for (const locking of [false, true])
		it(`neither deadlocks nor breaks when two nodes execute the steps at once, with the same items and holders${locking ? ", and lock a row of their own" : ""}`, async () => {
			await fc.assert(
				fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async steps => {
					const { take, holds } = world(nodes(), locking);
					for (let n = 0; n < ITEMS; n++) await take({ do: "open", item: n, stock: 12 });
					await Promise.all(steps.map(take));
					await holds();
				}),
				{ numRuns: 15, endOnFailure: true }
			);
		});
};
