// For any sequence of requests, repeated in any order: the ledger explains the levels, and nothing moves twice.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { it } from "node:test";
import fc from "fast-check";
import type { Knex } from "knex";
import type { Line } from "./reservation.rules.ts";
import type { Reservations } from "./reservation.store.ts";

/** The connections of two nodes to the same tables; with the embedded Postgres both are the same. */
export interface Nodes {
	stores: [Reservations, Reservations];
	knex: Knex;
}

/** A new unique name. */
export const id = (what: string) => `${what}-${randomUUID()}`;

type Step =
	| { do: "open"; item: number; stock: number }
	| { do: "set"; change: number; item: number; stock: number }
	| { do: "reserve"; requests: { holder: number; lines: { item: number; quantity: number }[]; ends: boolean }[] }
	| { do: "deduct" | "giveBack"; holders: number[] }
	| { do: "expire" };

const ITEMS = 3;
const item = fc.nat(ITEMS - 1);
const holder = fc.nat(5);
const holders = fc.array(holder, { minLength: 1, maxLength: 4 });
const line = fc.record({ item, quantity: fc.integer({ min: 1, max: 4 }) });
const request = fc.record({ holder, lines: fc.array(line, { minLength: 1, maxLength: 3 }), ends: fc.boolean() });
const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({ do: fc.constant("open" as const), item, stock: fc.nat(12) }),
	fc.record({ do: fc.constant("set" as const), change: fc.nat(3), item, stock: fc.nat(12) }),
	{
		weight: 3,
		arbitrary: fc.record({ do: fc.constant("reserve" as const), requests: fc.array(request, { minLength: 1, maxLength: 4 }) })
	},
	{ weight: 3, arbitrary: fc.record({ do: fc.constantFrom("deduct" as const, "giveBack" as const), holders }) },
	fc.record({ do: fc.constant("expire" as const) })
);

const END = new Date("2026-01-31T12:00:00Z");

/** Maps the numbers of the steps to names that are unique to this run, and executes steps with them. */
function world({ stores, knex }: Nodes) {
	const run = id("run");
	const name = (what: string, n: number) => `${run} ${what} ${n}`;
	const lines = (some: { item: number; quantity: number }[]): Line[] =>
		some.map(({ item, quantity }) => ({ item: name("item", item), quantity }));
	const items = Array.from({ length: ITEMS }, (_, n) => name("item", n));

	const take = async (one: Step, node = 0) => {
		const store = stores[node % 2]!;
		if (one.do === "open") return store.open([{ item: name("item", one.item), label: "L", stock: one.stock }]);
		if (one.do === "set") return store.set([{ ...one, holder: name("change", one.change), item: name("item", one.item) }]);
		if (one.do === "expire") return store.expire(END);
		if (one.do === "reserve")
			return store.reserve(
				one.requests.map(({ holder, lines: asked, ends }) => ({
					holder: name("holder", holder),
					lines: lines(asked),
					...(ends && { expiresAt: END })
				}))
			);
		return store[one.do](one.holders.map(n => name("holder", n)));
	};

	/** Computed from the ledger's rows alone, without the store's own sums. */
	const holds = async () => {
		const movements = await knex("stock_movements").whereIn("item", items);
		const sum = (item: string, ...kinds: string[]) =>
			movements
				.filter(one => one.item === item && kinds.includes(one.kind))
				.reduce((total, { quantity }) => total + Number(quantity), 0);
		for (const level of await stores[0].levels(items)) {
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
	return { take, holds, levels: () => stores[0].levels(items) };
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

	it("neither deadlocks nor breaks when two nodes execute the steps at once, with the same items and holders", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async steps => {
				const { take, holds } = world(nodes());
				for (let n = 0; n < ITEMS; n++) await take({ do: "open", item: n, stock: 12 });
				await Promise.all(steps.map(take));
				await holds();
			}),
			{ numRuns: 15, endOnFailure: true }
		);
	});
};
