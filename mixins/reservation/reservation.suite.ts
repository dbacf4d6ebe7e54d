// The promises of reservations, on both kinds of Postgres.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Knex } from "knex";
import { expiresInTime } from "./reservation.expiry.suite.ts";
import {
	createNodes,
	id,
	levelOf as levelIn,
	type Nodes,
	nothingBroken as nothingBrokenIn,
	openItem,
	waitForLocks
} from "./reservation.fixture.ts";
import { policies } from "./reservation.policy.suite.ts";
import { holdsWhatever } from "./reservation.property.suite.ts";
import { staysExactInRaces } from "./reservation.races.suite.ts";
import type { Movement } from "./reservation.rules.ts";
import type { Reservations } from "./reservation.store.ts";
import { dropReservations } from "./schema.ts";

/** `open`: two connections to one new database. */
export const reservationSuite = (where: string, open: () => Promise<{ knexes: [Knex, Knex]; close: () => Promise<void> }>) =>
	describe(`reservations, ${where}`, () => {
		let close: () => Promise<void>;
		let nodes: Nodes;
		let one: Reservations;
		let two: Reservations;
		let knex: Knex;
		before(async () => {
			const opened = await open();
			({ close } = opened);
			nodes = await createNodes(opened.knexes);
			knex = nodes.knex;
			[one, two] = nodes.stores;
		});
		after(async () => {
			await dropReservations(knex, "stock");
			await close();
		});

		const opened = (stock: number) => openItem(nodes, stock);
		const levelOf = (item: string) => levelIn(nodes, item);
		const reserve = async (holder: string, ...lines: [item: string, quantity: number][]) =>
			(await one.reserve([{ holder, lines: lines.map(([item, quantity]) => ({ item, quantity })) }]))[0]!;
		const nothingBroken = () => nothingBrokenIn(nodes);

		it("opens an item once, also when it is repeated with another stock", async () => {
			const item = id("item");
			const answers = await one.open([5, 6].map(stock => ({ item, label: "L", stock })));
			assert.deepEqual(answers, [true, false]);
			assert.deepEqual(await two.open([{ item, label: "M", stock: 7 }]), [false]);
			assert.deepEqual(await one.levels([item]), [{ item, label: "L", stock: 5, reserved: 0, version: 0 }]);
		});

		it("opens thousands of items in statements of at most a thousand, all of them or none", async () => {
			const names = Array.from({ length: 2_400 }, (_, n) => `${id("item")}-${n}`);
			await one.open([{ item: names[7]!, label: "old", stock: 1 }]);
			// Each of the last hundred occurs a second time, with another stock.
			const items = [...names, ...names.slice(-100)].map((item, n) => ({ item, label: "L", stock: n }));
			const isNew = items.map((_, n) => n !== 7 && n < names.length);
			await assert.rejects(one.open(items, { onMoved: async () => Promise.reject(new Error("no")) }), /no/);
			assert.equal(await levelOf(names[0]!), undefined);

			const sizes: number[] = [];
			const count = ({ sql, bindings }: { sql: string; bindings: unknown[] }) => {
				if (sql.includes("insert into")) sizes.push(...bindings.flatMap(one => (Array.isArray(one) ? [one.length] : [])));
			};
			knex.on("query", count);
			const moved: Movement[] = [];
			const opened = await one.open(items, { onMoved: async (_, movements) => void moved.push(...movements) });
			knex.off("query", count);
			assert.deepEqual(opened, isNew);
			assert.equal(sizes.length, 9, "items, labels and stocks of three parts");
			assert.ok(sizes.every(size => size <= 1_000));

			const { rows } = await knex.raw("select item from unnest(?::text[]) as item order by item", [
				names.filter((_, n) => n !== 7)
			]);
			assert.deepEqual(
				moved.map(({ item }) => item),
				rows.map(({ item }: { item: string }) => item)
			);
			assert.deepEqual(
				(await two.levels(names)).map(level => level?.stock),
				names.map((_, n) => (n === 7 ? 1 : n))
			);
			await nothingBroken();
		});

		it("knows no item that was never opened: it cannot be reserved, set or read", async () => {
			const item = id("item");
			assert.deepEqual(await reserve(id("holder"), [item, 1]), {
				refused: "OUT_OF_STOCK",
				missing: [{ item, requested: 1, available: 0 }]
			});
			assert.deepEqual(await one.set([{ holder: id("set"), item, stock: 1 }]), [{ refused: "UNKNOWN" }]);
			assert.deepEqual(await one.levels([item]), [undefined]);
		});

		it("reserves, deducts and gives back, each once however often the request is repeated", async () => {
			const [item, holder] = [await opened(12), id("holder")];
			assert.deepEqual(await reserve(holder, [item, 3]), { done: "reserved" });
			assert.deepEqual(await reserve(holder, [item, 3]), { done: "again" });
			assert.deepEqual(await levelOf(item), [12, 3]);
			assert.deepEqual(await one.deduct([holder, holder]), ["deducted", "again"]);
			assert.deepEqual(await reserve(holder, [item, 3]), { done: "again" }, "what it asked for it has had");
			assert.deepEqual(await levelOf(item), [9, 0]);
			assert.deepEqual(await two.giveBack([holder, holder]), ["given back", "again"]);
			assert.deepEqual(await two.deduct([holder]), ["given back"]);
			assert.deepEqual(await levelOf(item), [12, 0]);
			await nothingBroken();
		});

		it("reserves for new holders with one statement", async () => {
			const [item, other] = [await opened(12), await opened(12)];
			const statements: string[] = [];
			const collect = ({ sql }: { sql: string }) => statements.push(sql);
			knex.on("query", collect);
			const lines = [item, other].map(each => ({ item: each, quantity: 2 }));
			const [forever, hold] = [
				{ holder: id("holder"), lines },
				{ holder: id("hold"), lines, lifetimeMs: 60_000 }
			];
			const answers = await one.reserve([forever, hold]).finally(() => knex.removeListener("query", collect));
			assert.deepEqual(
				answers.map(answer => "done" in answer && [answer.done, "expiresAt" in answer]),
				[
					["reserved", false],
					["reserved", true]
				]
			);
			assert.equal(statements.length, 1, statements.join("\n"));
			assert.deepEqual(
				[await levelOf(item), await levelOf(other)],
				[
					[12, 4],
					[12, 4]
				]
			);
			await nothingBroken();
		});

		it("decides again when a holder changes while its levels are locked", async () => {
			const [item, holder] = [await opened(12), id("holder")];
			await reserve(holder, [item, 3]);
			const started = await knex.transaction(async trx => {
				await trx("stock_levels").where({ item }).forUpdate();
				const both = Promise.all([one.giveBack([holder]), two.deduct([holder])]);
				await waitForLocks(nodes, 2);
				return { both };
			});
			const [[givenBack], [deducted]] = await started.both;
			assert.equal(givenBack, "given back");
			assert.ok(["deducted", "given back"].includes(deducted!), deducted);
			assert.deepEqual(await levelOf(item), [12, 0]);
			await nothingBroken();
		});

		it("adds up the lines of one item, and reserves all lines or none", async () => {
			const [scarce, plenty, holder] = [await opened(5), await opened(100), id("holder")];
			assert.deepEqual(await reserve(holder, [plenty, 4], [scarce, 3], [scarce, 3]), {
				refused: "OUT_OF_STOCK",
				missing: [{ item: scarce, requested: 6, available: 5 }]
			});
			assert.deepEqual(await levelOf(plenty), [100, 0]);
			assert.deepEqual(
				await reserve(holder, [plenty, 4], [scarce, 3], [scarce, 2]),
				{ done: "reserved" },
				"a refusal leaves nothing"
			);
			assert.deepEqual(
				[await levelOf(scarce), await levelOf(plenty)],
				[
					[5, 5],
					[100, 4]
				]
			);
		});

		it("lists everything that a refused request lacks, in the order of its lines", async () => {
			const [none, plenty, few, unknown] = [await opened(0), await opened(9), await opened(2), id("item")];
			assert.deepEqual(await reserve(id("holder"), [few, 3], [unknown, 1], [plenty, 9], [none, 1]), {
				refused: "OUT_OF_STOCK",
				missing: [
					{ item: few, requested: 3, available: 2 },
					{ item: unknown, requested: 1, available: 0 },
					{ item: none, requested: 1, available: 0 }
				]
			});
			assert.deepEqual(await levelOf(plenty), [9, 0]);
		});

		it("refuses a holder's second request for something else", async () => {
			const [item, other, holder] = [await opened(9), await opened(9), id("holder")];
			await reserve(holder, [item, 2], [other, 1]);
			for (const lines of [
				[[item, 2]],
				[
					[item, 3],
					[other, 1]
				],
				[
					[item, 2],
					[other, 1],
					[id("item"), 1]
				]
			] as [string, number][][])
				assert.deepEqual(await reserve(holder, ...lines), { refused: "OTHER_LINES" });
			assert.deepEqual(await reserve(holder, [other, 1], [item, 1], [item, 1]), { done: "again" }, "the same, said otherwise");
			assert.deepEqual(await levelOf(item), [9, 2]);
		});

		it("refuses an invalid quantity", async () => {
			const item = await opened(9);
			for (const quantity of [0, -1, 1.5, Number.NaN, 2 ** 60])
				await assert.rejects(reserve(id("holder"), [item, quantity]), RangeError);
			assert.deepEqual(await levelOf(item), [9, 0]);
		});

		it("moves nothing for a holder that was given back before it reserved", async () => {
			const [item, holder] = [await opened(12), id("holder")];
			assert.deepEqual(await one.deduct([holder]), ["unknown"]);
			assert.deepEqual(await one.giveBack([holder, holder]), ["noted", "again"]);
			assert.deepEqual(await reserve(holder, [item, 3]), { refused: "GIVEN_BACK" });
			assert.deepEqual(await two.deduct([holder]), ["given back"]);
			assert.deepEqual(await levelOf(item), [12, 0]);
		});

		it("sets the stock, once for each change, and never below what is reserved", async () => {
			const [item, change] = [await opened(12), id("set")];
			await reserve(id("holder"), [item, 3]);
			const [refused] = await one.set([{ holder: id("set"), item, stock: 2 }]);
			assert.deepEqual(refused, { refused: "BELOW_RESERVED", level: { item, label: "L", stock: 12, reserved: 3, version: 0 } });
			const [set, again] = await one.set([4, 20].map(stock => ({ holder: change, item, stock })));
			assert.deepEqual(set, { done: "set", level: { item, label: "L", stock: 4, reserved: 3, version: 1 } });
			assert.equal(again && "done" in again && again.done, "again");
			await two.set([{ holder: id("set"), item, stock: 4 }]);
			assert.deepEqual(await two.levels([item]), [{ item, label: "L", stock: 4, reserved: 3, version: 1 }], "nothing changed");
			await nothingBroken();
		});

		it("gives back only what is reserved, if asked so", async () => {
			const [item, sold, held, unknown] = [await opened(12), id("holder"), id("holder"), id("holder")];
			await reserve(sold, [item, 3]);
			await reserve(held, [item, 2]);
			await one.deduct([sold]);
			const holders = [sold, held, unknown];
			const reservedOnly = true;
			assert.deepEqual(await one.giveBack(holders, { reservedOnly }), ["left", "given back", "left"]);
			assert.deepEqual(await two.giveBack(holders, { reservedOnly }), ["left", "again", "left"]);
			assert.deepEqual(await levelOf(item), [9, 0]);
			assert.deepEqual(await reserve(unknown, [item, 1]), { done: "reserved" }, "nothing is recorded of an unknown holder");
		});

		it("lists holders that have waited for long, the oldest first, without those that expire", async () => {
			const item = await opened(9);
			const [old, young, hold] = [id("holder"), id("holder"), id("hold")];
			await reserve(old, [item, 1]);
			await one.reserve([{ holder: hold, lines: [{ item, quantity: 1 }], lifetimeMs: 3_600_000 }]);
			await reserve(young, [item, 1]);
			const ours = (waiting: string[]) => waiting.filter(holder => [old, young, hold].includes(holder));
			assert.deepEqual(ours(await one.waiting(0, 1_000)), [old, young]);
			assert.deepEqual(ours(await one.waiting(3_600_000, 1_000)), []);
			await one.deduct([old]);
			await one.giveBack([young]);
			assert.deepEqual(ours(await one.waiting(0, 1_000)), []);
		});

		it("passes on the movements before it commits, and moves nothing if that fails", async () => {
			const [item, holder] = [await opened(12), id("holder")];
			const recorded: Movement[] = [];
			const record = { onMoved: async (_: unknown, movements: Movement[]) => void recorded.push(...movements) };
			await one.reserve([{ holder, lines: [{ item, quantity: 3 }] }], record);
			await assert.rejects(one.deduct([holder], { onMoved: async () => Promise.reject(new Error("no")) }), /no/);
			assert.deepEqual(await levelOf(item), [12, 3]);
			await one.deduct([holder, holder], record);
			await one.deduct([holder], record);
			await one.set([{ holder: "recount", item, stock: 7 }], record);
			await one.giveBack([holder], record);
			const common = { item, label: "L" };
			assert.deepEqual(recorded, [
				{ ...common, holder, kind: "reserve", quantity: 3, stock: 12, previousStock: 12, reserved: 3, version: 0 },
				{ ...common, holder, kind: "deduct", quantity: 3, stock: 9, previousStock: 12, reserved: 0, version: 1 },
				{ ...common, holder: "recount", kind: "set", quantity: -2, stock: 7, previousStock: 9, reserved: 0, version: 2 },
				{ ...common, holder, kind: "return", quantity: 3, stock: 10, previousStock: 7, reserved: 0, version: 3 }
			]);
		});

		it("lists the items whose level differs from the ledger", async () => {
			const items = [await opened(5), await opened(5)].sort();
			const before = await one.equation();
			assert.deepEqual(before.broken, []);
			await knex("stock_levels").whereIn("item", items).update({ stock: 6 });
			const { broken, stock, putIn } = await one.equation();
			assert.deepEqual({ broken, stock, putIn }, { broken: items, stock: before.stock + 2, putIn: before.putIn });
			await knex("stock_levels").whereIn("item", items).update({ stock: 5 });
		});

		it("cannot store more reserved than the stock, or a movement twice, also by direct SQL", async () => {
			const item = await opened(5);
			for (const level of [{ reserved: 6 }, { reserved: -1 }, { stock: -1 }])
				await assert.rejects(knex("stock_levels").where({ item }).update(level), { code: "23514" });
			const movement = { holder: id("holder"), item, kind: "deduct", quantity: 1 };
			await knex("stock_movements").insert(movement);
			await assert.rejects(knex("stock_movements").insert(movement), { code: "23505" });
			await knex("stock_movements").where(movement).delete();
		});

		it("sells the whole stock and no more when 200 holders request it from two nodes at once", async () => {
			const item = await opened(12);
			const holders = Array.from({ length: 200 }, () => id("holder"));
			const answers = await Promise.all(
				holders.map(
					async (holder, n) => [await [one, two][n % 2]!.reserve([{ holder, lines: [{ item, quantity: 1 }] }]), holder] as const
				)
			);
			const won = answers.filter(([[answer]]) => "done" in answer!).map(([, holder]) => holder);
			assert.equal(won.length, 12);
			await Promise.all(holders.map((holder, n) => [one, two][n % 2]!.deduct([holder])));
			assert.deepEqual(await levelOf(item), [0, 0]);
			await nothingBroken();
		});

		policies(() => nodes);
		expiresInTime(() => nodes);
		staysExactInRaces(() => nodes);
		holdsWhatever(() => nodes);
	});
