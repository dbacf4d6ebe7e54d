// What the purchase service promises, on whichever Postgres stands behind it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import type { Caller } from "../../define.ts";
import { type Database, migrate } from "../../mixins/database/database.ts";
import { reach } from "../../mixins/dependency.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { topics } from "../contract.ts";
import type { Attempt, Outcome } from "./purchase.rules.ts";
import { purchase } from "./purchase.service.ts";
import { type PurchaseStore, sqlPurchases } from "./purchase.store.ts";

interface Told {
	id: string;
	amount: number;
	createdAt: string;
	seq: number;
	totalCents: number;
	requestID: string | undefined;
}

const isOutcome = (answer: Outcome | Error): answer is Outcome => !(answer instanceof Error);

/** `open`: two ways to one fresh database, as two nodes have them; the embedded one has only one. */
export const purchaseSuite = (
	profile: string,
	open: () => Promise<{ databases: [Database, Database]; close: () => Promise<void> }>
) =>
	describe(`purchases, ${profile}`, () => {
		let close: () => Promise<void>;
		let db: Database["knex"];
		let stores: [PurchaseStore, PurchaseStore];
		let broker: ServiceBroker;
		let call: Caller["call"];

		before(async () => {
			const opened = await open();
			close = opened.close;
			db = opened.databases[0].knex;
			broker = new ServiceBroker({ logger: false });
			await reach(opened.databases[0], broker.logger, () => false);
			await migrate(opened.databases[0], new URL("./migrations/", import.meta.url));
			stores = opened.databases.map(({ knex }) => sqlPurchases(knex, outbox(knex, { contracts: topics }))) as typeof stores;
			broker.createService(purchase(stores[0]));
			call = broker.call.bind(broker) as Caller["call"];
			await broker.start();
		});
		after(async () => {
			await broker?.stop();
			await close?.();
		});

		/** What will be on topic `user_purchase` for a user, in its order. */
		const told = async (userID: string): Promise<Told[]> => {
			const rows = await db("outbox").where({ topic: "user_purchase", key: userID }).orderBy("id");
			return rows.map(({ value, headers }) => {
				const { id, user_id, amount, created_at: createdAt } = JSON.parse(value);
				assert.equal(user_id, userID);
				const { seq, total_cents, "request-id": requestID } = headers;
				return { id, amount, createdAt, seq: Number(seq), totalCents: Number(total_cents), requestID };
			});
		};
		const attempt = (more: Partial<Attempt> = {}): Attempt => ({
			id: randomUUID(),
			userID: randomUUID(),
			amountCents: 100,
			...more
		});
		const typeOf = (answer: unknown) => (answer as { type?: string }).type;

		describe("purchase.create", () => {
			it("answers with an id of its own when none is given, and that purchase is the user's total and the topic's message", async () => {
				const user_id = randomUUID();
				const answer = await call("purchase.create", { user_id, amount: 49.99 }, { requestID: "request-1" });
				assert.match(answer.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
				assert.deepEqual(answer, { id: answer.id, user_id, amount: 49.99 });
				assert.deepEqual(await call("purchase.total", { user_id }), { seq: 1, total_cents: 4999 });
				const [message, ...more] = await told(user_id);
				assert.deepEqual(more, []);
				assert.deepEqual(message, {
					id: answer.id,
					amount: 49.99,
					createdAt: message?.createdAt,
					seq: 1,
					totalCents: 4999,
					requestID: "request-1"
				});
				const [row] = await db("purchases").where({ user_id });
				assert.deepEqual([row.id, row.amount_cents, row.created_at.toISOString()], [answer.id, "4999", message?.createdAt]);
			});

			it("gives the same answer and buys nothing when the same id comes again", async () => {
				const request = { id: randomUUID(), user_id: randomUUID(), amount: 12.34 };
				const answers = [await call("purchase.create", request), await call("purchase.create", request)];
				assert.deepEqual(answers, [request, request]);
				assert.equal((await told(request.user_id)).length, 1);
				assert.deepEqual(await call("purchase.total", { user_id: request.user_id }), { seq: 1, total_cents: 1234 });
			});

			it("refuses an id that comes again with another amount, and keeps the first", async () => {
				const request = { id: randomUUID(), user_id: randomUUID(), amount: 5 };
				await call("purchase.create", request);
				await assert.rejects(call("purchase.create", { ...request, amount: 6 }), { type: "CONFLICT", code: 409 });
				assert.deepEqual(await call("purchase.total", { user_id: request.user_id }), { seq: 1, total_cents: 500 });
			});

			it("sells to two users under one id", async () => {
				const [id, one, two] = [randomUUID(), randomUUID(), randomUUID()];
				await Promise.all([one, two].map((user_id, n) => call("purchase.create", { id, user_id, amount: n + 1 })));
				assert.equal((await call("purchase.total", { user_id: one })).total_cents, 100);
				assert.equal((await call("purchase.total", { user_id: two })).total_cents, 200);
			});

			it("adds a hundred times 0.10 up to 10, and of 49.99 to 4999", async () => {
				for (const [amount, cents] of [
					[0.1, 1000],
					[49.99, 499_900]
				] as const) {
					const user_id = randomUUID();
					await Promise.all(Array.from({ length: 100 }, () => call("purchase.create", { user_id, amount })));
					assert.deepEqual(await call("purchase.total", { user_id }), { seq: 100, total_cents: cents });
				}
			});

			it("refuses what would take a total out of the exact range, and only that", async () => {
				const [full, other] = [randomUUID(), randomUUID()];
				await db("purchase_totals").insert({ user_id: full, seq: 7, total_cents: Number.MAX_SAFE_INTEGER - 100 });
				const [tooMuch, ok, fits] = await Promise.allSettled([
					call("purchase.create", { user_id: full, amount: 1.01 }),
					call("purchase.create", { user_id: other, amount: 1.01 }),
					call("purchase.create", { user_id: full, amount: 1 })
				]);
				assert.equal(typeOf((tooMuch as PromiseRejectedResult).reason), "VALIDATION_ERROR");
				assert.deepEqual([ok?.status, fits?.status], ["fulfilled", "fulfilled"]);
				assert.deepEqual(await call("purchase.total", { user_id: full }), { seq: 8, total_cents: Number.MAX_SAFE_INTEGER });
			});
		});

		describe("purchase.record", () => {
			it("counts a purchase from elsewhere once, with the time at which it was bought", async () => {
				const bought = { id: randomUUID(), user_id: randomUUID(), amount: 3.5, created_at: "2020-02-29T12:00:00+02:00" };
				assert.deepEqual(await call("purchase.record", bought), { recorded: true });
				assert.deepEqual(await call("purchase.record", bought), { recorded: false });
				const messages = await told(bought.user_id);
				assert.deepEqual(
					messages.map(({ id, createdAt, seq, totalCents }) => [id, createdAt, seq, totalCents]),
					[[bought.id, "2020-02-29T10:00:00.000Z", 1, 350]]
				);
			});

			it("refuses a known id with another amount", async () => {
				const bought = { id: randomUUID(), user_id: randomUUID(), amount: 3 };
				await call("purchase.create", bought);
				await assert.rejects(call("purchase.record", { ...bought, amount: 4 }), { type: "CONFLICT" });
			});

			it("gives a purchase the time of its recording when it says none that can be read", async () => {
				for (const created_at of [undefined, "yesterday", "2020-02-30T00:00:00Z", "0000-01-01T00:00:00Z"]) {
					const user_id = randomUUID();
					await call("purchase.record", { id: randomUUID(), user_id, amount: 1, created_at });
					const [message] = await told(user_id);
					assert.ok(Math.abs(Date.parse(message?.createdAt ?? "") - Date.now()) < 60_000, message?.createdAt);
				}
			});
		});

		describe("purchase.total", () => {
			it("is nothing for a user who never bought", async () => {
				assert.deepEqual(await call("purchase.total", { user_id: randomUUID() }), { seq: 0, total_cents: 0 });
			});

			it("gives each his own when many are asked for at once", async () => {
				const users = Array.from({ length: 20 }, () => randomUUID());
				await Promise.all(users.map((user_id, n) => call("purchase.create", { user_id, amount: n + 1 })));
				const totals = await Promise.all([...users, ...users].map(user_id => call("purchase.total", { user_id })));
				assert.deepEqual(
					totals.map(({ total_cents }) => total_cents),
					[...users.keys(), ...users.keys()].map(n => (n + 1) * 100)
				);
			});
		});

		describe("one batch", () => {
			it("numbers a user's purchases in the order in which they came, and a repeated id once", async () => {
				const [userID, other] = [randomUUID(), randomUUID()];
				const [first, second] = [attempt({ userID, amountCents: 3 }), attempt({ userID, amountCents: 1 })];
				const batch = [first, attempt({ userID: other }), second, first, attempt({ userID, amountCents: 2 })];
				const answers = await stores[0].buy(batch);
				assert.deepEqual(
					answers.map(answer => isOutcome(answer) && answer.isNew),
					[true, true, true, false, true]
				);
				const messages = await told(userID);
				assert.deepEqual(
					messages.map(({ seq, totalCents }) => [seq, totalCents]),
					[
						[1, 3],
						[2, 4],
						[3, 6]
					]
				);
				assert.deepEqual([messages[0]?.id, messages[1]?.id], [first.id, second.id]);
			});

			it("refuses the second of two amounts under one id, and nobody else", async () => {
				const one = attempt({ amountCents: 5 });
				const [won, lost, other] = await stores[0].buy([one, { ...one, amountCents: 6 }, attempt()]);
				assert.deepEqual([isOutcome(won!), typeOf(lost), isOutcome(other!)], [true, "CONFLICT", true]);
				assert.deepEqual(await stores[0].totals([one.userID]), [{ seq: 1, total_cents: 500 / 100 }]);
			});

			it("fails alone when Postgres cannot take a text of it", async () => {
				const batch = Array.from({ length: 50 }, () => attempt());
				batch[7] = attempt({ id: "a\u0000b" });
				batch[31] = attempt({ userID: "a\u0000b" });
				const answers = await stores[0].buy(batch);
				assert.deepEqual(
					answers.flatMap((answer, index) => (isOutcome(answer) ? [] : [index])),
					[7, 31]
				);
				assert.deepEqual([typeOf(answers[7]), typeOf(answers[31])], ["VALIDATION_ERROR", "VALIDATION_ERROR"]);
				for (const [index, { userID }] of batch.entries())
					if (index !== 7 && index !== 31) assert.equal((await told(userID)).length, 1);
			});
		});

		it("buys each purchase once and numbers each user's without a gap when two nodes get a thousand with repeated ids at once", async () => {
			const users = Array.from({ length: 5 }, () => randomUUID());
			const wanted = Array.from({ length: 500 }, (_, n) =>
				attempt({ userID: users[n % users.length], amountCents: 1 + (n % 997) })
			);
			const all = [...wanted, ...wanted].map(one => ({ one, rank: Math.random() })).sort((a, b) => a.rank - b.rank);
			const batches: Attempt[][] = [];
			for (let from = 0; from < all.length; from += 20) batches.push(all.slice(from, from + 20).map(({ one }) => one));
			const answers = (await Promise.all(batches.map((batch, n) => stores[n % 2]!.buy(batch)))).flat();

			assert.deepEqual(
				answers.filter(answer => !isOutcome(answer)),
				[]
			);
			assert.equal(answers.filter(answer => isOutcome(answer) && answer.isNew).length, wanted.length);
			for (const userID of users) {
				const own = wanted.filter(one => one.userID === userID);
				const messages = await told(userID);
				assert.deepEqual(messages.map(({ id }) => id).sort(), own.map(({ id }) => id).sort());
				let totalCents = 0;
				for (const [n, message] of messages.entries()) {
					totalCents += Math.round(message.amount * 100);
					assert.deepEqual([message.seq, message.totalCents], [n + 1, totalCents]);
				}
				assert.deepEqual(await stores[1].totals([userID]), [{ seq: own.length, total_cents: totalCents }]);
			}
		});
	});
