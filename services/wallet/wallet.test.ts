import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { type Context, Errors, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { conflict, isUnavailable, unavailable } from "../../mixins/errors.ts";
import { type Proofs, proofsWith } from "../../mixins/outbox/proof.ts";
import type { PublishOptions } from "../../mixins/topics/handler-types.ts";
import { markTopicsMixin } from "../../mixins/topics/require-mixin.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import { grpcClient } from "../../test/client.grpc.ts";
import { eventually } from "../../test/client.ts";
import { actions } from "../contract.ts";
import type { Caller, Received } from "../define-service.ts";
import { type PurchaseTotal, purchaseOutbox } from "../purchase/purchase.contract.ts";
import type { WalletBalance } from "./wallet.contract.ts";
import { walletOverGrpc } from "./wallet.grpc.ts";
import { memoryBalances } from "./wallet.store.memory.ts";
import { balanceStoreSuite } from "./wallet.store.suite.ts";
import type { BalanceStore } from "./wallet.store.ts";
import { wallet } from "./wallet.ts";

balanceStoreSuite("in memory", async () => ({ store: memoryBalances(), close: async () => {} }));

describe("the memory store when it is full", () => {
	const confirm = async (store: BalanceStore, user_id: string, generation?: string) =>
		store.confirm([{ user_id, seq: 1, total_cents: 1 }], generation ?? (await store.read([])).generation!);

	it("keeps the users that were used last", async () => {
		const store = memoryBalances({ maxUsers: 2 });
		for (const user of ["ann", "bob", "ann", "cid"]) await confirm(store, user);
		const { totalsCents } = await store.read(["ann", "bob", "cid"]);
		assert.deepEqual(totalsCents, [1, undefined, 1]);
	});

	it("does not confirm a total that is older than one it has evicted", async () => {
		const store = memoryBalances({ maxUsers: 2 });
		const { generation } = await store.read(["ann"]);
		await store.raise([{ user_id: "ann", seq: 2, total_cents: 2 }], { partition: 0, nextOffset: 1 });
		for (const user of ["bob", "cid"]) await confirm(store, user);
		await confirm(store, "ann", generation);
		assert.deepEqual((await store.read(["ann"])).totalsCents, [undefined]);
	});
});

describe("the wallet", () => {
	const broker = new ServiceBroker({ logger: false, metrics: true, validator: new ContractValidator(actions) });
	const call = broker.call.bind(broker) as Caller["call"];
	/** The totals in Postgres. */
	const bought = new Map<string, PurchaseTotal>();
	const recorded: { id: string; user_id: string; amount: number }[] = [];
	const published: { message: WalletBalance; options: PublishOptions }[] = [];
	let failing: { store: boolean; purchases: boolean; topics: boolean };
	let lookups: number;
	let storeReads: number;
	/** Runs between raising a total and publishing it. */
	let meanwhile: (() => Promise<void>) | undefined;
	/** Whether this process still owns the partition. */
	let isCurrent: boolean;

	const memory = memoryBalances();
	const orUnavailable = <T>(isFailing: boolean, what: string, read: () => T) =>
		isFailing ? Promise.reject(unavailable(what)) : read();
	const store: BalanceStore = {
		read(users) {
			storeReads++;
			return orUnavailable(failing.store, "the store", () => memory.read(users));
		},
		raise: (entries, applied) => orUnavailable(failing.store, "the store", () => memory.raise(entries, applied)),
		confirm: (entries, generation) => orUnavailable(failing.store, "the store", () => memory.confirm(entries, generation))
	};
	const ours = proofsWith("the key of our outbox", purchaseOutbox.proves);
	const service = broker.createService(
		wallet(store, { proofs: async () => ours }, [
			walletOverGrpc({ host: "127.0.0.1", port: 0 }),
			markTopicsMixin({
				methods: {
					async publish(_topic: string, message: WalletBalance, options: PublishOptions) {
						await meanwhile?.();
						return orUnavailable(failing.topics, "the log", async () => void published.push({ message, options }));
					}
				}
			})
		])
	);
	broker.createService({
		name: "purchase",
		actions: {
			total(ctx: Context<{ user_id: string }>) {
				lookups++;
				if (failing.purchases) throw new Errors.RequestTimeoutError({ action: "purchase.total", nodeID: "node-7" });
				return bought.get(ctx.params.user_id) ?? { seq: 0, total_cents: 0 };
			},
			async record(ctx: Context<(typeof recorded)[number]>) {
				const { id, amount } = ctx.params;
				if (failing.purchases) throw new Errors.RequestTimeoutError({ action: "purchase.record", nodeID: "node-7" });
				const known = recorded.find(one => one.id === id);
				if (known && known.amount !== amount) throw conflict("another amount", { id });
				if (!known) recorded.push(ctx.params);
				return { recorded: !known };
			}
		}
	});
	before(() => broker.start());
	after(() => broker.stop());
	beforeEach(() => {
		failing = { store: false, purchases: false, topics: false };
		isCurrent = true;
		lookups = storeReads = published.length = recorded.length = 0;
	});

	let offset = 0;
	const received = (
		message: { id?: string; user_id: string; amount: number },
		headers: Headers = {}
	): Received<typeof message> => ({
		message,
		record: {
			topic: "user_purchase",
			partition: 2,
			offset: offset++,
			key: Buffer.from(message.user_id),
			value: Buffer.from(JSON.stringify(message)),
			headers,
			timestampMs: 0
		},
		requestID: `request-${offset}`,
		ctx: { call }
	});
	/** The record of our own purchase: it is in Postgres before it is on the topic. */
	const purchase = (user_id: string, seq: number, total_cents: number) => {
		if (seq > (bought.get(user_id)?.seq ?? 0)) bought.set(user_id, { seq, total_cents });
		return signed(ours, received({ user_id, amount: 1 }, { seq: String(seq), total_cents: String(total_cents) }));
	};
	const signed = <M>(by: Proofs, one: Received<M>): Received<M> => {
		const { headers } = by.sign({ ...one.record, value: one.record.value! });
		return { ...one, record: { ...one.record, headers: headers! } };
	};
	/** Calls the handler with a batch, as the topics mixin does. */
	const deliver = (...batch: Received<unknown>[]): Promise<{ duplicates: number }> => {
		const { user_purchase } = (
			service.schema as unknown as { topics: { user_purchase: { batch: (batch: object) => Promise<never> } } }
		).topics;
		return user_purchase.batch.call(service, {
			received: batch,
			topic: "user_purchase",
			partition: 2,
			endOffset: offset,
			first: false,
			isCurrent: () => isCurrent
		});
	};
	const totalOf = async (user_id: string) => (await call("wallet.getBalance", { user_id })).balances.total;
	/** Waits until the store has confirmed a user. */
	const confirmed = (user_id: string) =>
		eventually(async () => assert.ok((await memory.read([user_id])).totalsCents[0]), "the store to confirm the user");

	it("returns 0 for a user without purchases, by both action names, and stores nothing", async () => {
		const user_id = randomUUID();
		assert.deepEqual(await call("wallet.getBalance", { user_id }), { balances: { total: 0 } });
		assert.deepEqual(await call("wallet.getTotalSpent", { user_id }), { balances: { total: 0 } });
		assert.equal(lookups, 2);
		assert.deepEqual((await memory.read([user_id])).totalsCents, [undefined]);
	});

	it("reads a user that the store does not know from Postgres, and confirms it in the store", async () => {
		const user_id = randomUUID();
		bought.set(user_id, { seq: 3, total_cents: 4999 });
		assert.equal(await totalOf(user_id), 49.99);
		await confirmed(user_id);
		failing.purchases = true;
		assert.equal(await totalOf(user_id), 49.99);
	});

	it("reads from Postgres while the store is unavailable, and from the store afterwards", async () => {
		const user_id = randomUUID();
		await deliver(purchase(user_id, 1, 100));
		await confirmed(user_id);
		bought.set(user_id, { seq: 2, total_cents: 250 });
		failing.store = true;
		assert.equal(await totalOf(user_id), 2.5);
		failing.store = false;
		assert.equal(await totalOf(user_id), 1);
	});

	it("rejects with UNAVAILABLE, and never returns 0, when neither is available", async () => {
		const user_id = randomUUID();
		failing.purchases = true;
		await assert.rejects(totalOf(user_id), { type: "UNAVAILABLE", code: 503 });
		failing.store = true;
		await assert.rejects(totalOf(user_id), { type: "UNAVAILABLE", code: 503 });
	});

	it("shares one read of the store between concurrent calls", async () => {
		await Promise.all(Array.from({ length: 100 }, () => totalOf(randomUUID())));
		assert.ok(storeReads <= 2, `${storeReads} reads`);
	});

	it("publishes the newest total of each user once for each batch, with its version and request id", async () => {
		const [ann, bob] = [randomUUID(), randomUUID()];
		const batch = [purchase(ann, 1, 4999), purchase(bob, 8, 10), purchase(ann, 2, 9998)];
		assert.deepEqual(await deliver(...batch), { duplicates: 0 });
		assert.deepEqual(published, [
			{
				message: { user_id: ann, balances: { total: 99.98 } },
				options: { headers: { seq: "2" }, requestID: batch[2]!.requestID }
			},
			{ message: { user_id: bob, balances: { total: 0.1 } }, options: { headers: { seq: "8" }, requestID: batch[1]!.requestID } }
		]);
		await Promise.all([confirmed(ann), confirmed(bob)]);
	});

	it("returns a consumed total without reading Postgres, also at the first read", async () => {
		const user_id = randomUUID();
		await deliver(purchase(user_id, 1, 4999));
		await confirmed(user_id);
		failing.purchases = true;
		assert.equal(await totalOf(user_id), 49.99);
		await deliver(purchase(user_id, 2, 9998));
		assert.equal(await totalOf(user_id), 99.98);
		assert.equal(lookups, 1);
	});

	it("does not return an old total when its record is redelivered after a restart", async () => {
		const user_id = randomUUID();
		const [first] = [purchase(user_id, 1, 100), purchase(user_id, 2, 200)];
		await deliver(first!);
		assert.equal(await totalOf(user_id), 2);
	});

	it("counts nothing twice when a batch is redelivered, and publishes again", async () => {
		const user_id = randomUUID();
		const batch = [purchase(user_id, 1, 100), purchase(user_id, 2, 200)];
		await deliver(...batch);
		assert.deepEqual(await deliver(...batch), { duplicates: 2 });
		assert.deepEqual(await deliver(batch[0]!), { duplicates: 1 });
		assert.equal(await totalOf(user_id), 2);
		assert.deepEqual(
			published.map(({ options }) => options.headers?.seq),
			["2", "2", "2"]
		);
	});

	it("publishes the newest total last, also when the partition was revoked while it published", async () => {
		const user_id = randomUUID();
		const [old, newer] = [purchase(user_id, 1, 100), purchase(user_id, 2, 200)];
		meanwhile = async () => {
			meanwhile = undefined;
			await deliver(newer);
			isCurrent = false;
		};
		await deliver(old);
		assert.deepEqual(
			published.map(({ message, options }) => [options.headers?.seq, message.balances.total]),
			[
				["2", 2],
				["1", 1],
				["2", 2]
			]
		);
	});

	it("counts missed versions", async () => {
		const user_id = randomUUID();
		const missed = () =>
			(broker.metrics.getMetric("plaza.wallet.missed") as unknown as { get(): { value: number } | null }).get()?.value ?? 0;
		const before = missed();
		await deliver(purchase(user_id, 1, 100));
		await deliver(purchase(user_id, 2, 200), purchase(user_id, 5, 500));
		assert.equal(missed() - before, 2);
		assert.equal(await totalOf(user_id), 5);
	});

	it("fails the batch when the store or the topic of balances rejects it", async () => {
		for (const what of ["store", "topics"] as const) {
			failing[what] = true;
			await assert.rejects(deliver(purchase(randomUUID(), 1, 100)), { type: "UNAVAILABLE" });
			failing[what] = false;
		}
	});

	it("records a foreign purchase, and counts it when it returns with its total", async () => {
		const user_id = randomUUID();
		const nameless = received({ user_id, amount: 1 });
		const moved = received(
			{ user_id, amount: 2 },
			{ "origin-topic": "user_purchase", "origin-partition": "7", "origin-offset": "99" }
		);
		const batch = [received({ id: "theirs", user_id, amount: 49.99 }), nameless, moved];
		assert.deepEqual(await deliver(...batch), { duplicates: 0 });
		assert.deepEqual(
			recorded.map(({ id, amount }) => [id, amount]),
			[
				["theirs", 49.99],
				[`user_purchase/2/${nameless.record.offset}`, 1],
				["user_purchase/7/99", 2]
			]
		);
		assert.deepEqual(published, []);
		assert.deepEqual(await deliver(...batch), { duplicates: 3 });
		assert.equal(recorded.length, 3);
	});

	it("rejects a foreign purchase that contradicts a recorded one", async () => {
		const user_id = randomUUID();
		await deliver(received({ id: "once", user_id, amount: 1 }));
		await assert.rejects(deliver(received({ id: "once", user_id, amount: 2 })), { type: "CONFLICT", code: 409 });
	});

	describe("of a purchase whose headers have a total, but no proof that our outbox published it,", () => {
		const claim = { seq: "900", total_cents: "90000" };
		const elsewhere = proofsWith("the key of another installation", purchaseOutbox.proves);
		const longAgo = proofsWith("the key of our outbox", purchaseOutbox.proves, () => Date.now() - 3_600_000);
		const unproven: [string, <M>(one: Received<M>) => Received<M>][] = [
			["forged", one => one],
			["with an invented proof", one => ({ ...one, record: { ...one.record, headers: { ...one.record.headers, proof: "x" } } })],
			["mirrored from another installation", one => signed(elsewhere, one)],
			["restored from a backup", one => signed(longAgo, one)],
			[
				"with a changed total",
				one => {
					const { record } = signed(ours, { ...one, record: { ...one.record, headers: { seq: "1", total_cents: "100" } } });
					return { ...one, record: { ...record, headers: { ...record.headers, ...claim } } };
				}
			],
			[
				"with a changed value",
				one => {
					const { record } = signed(ours, one);
					return { ...one, record: { ...record, value: Buffer.from(JSON.stringify({ ...(one.message as object), amount: 2 })) } };
				}
			]
		];

		for (const [what, claimed] of unproven)
			it(`${what}: records it if it is not stored in Postgres, and takes no total from its headers`, async () => {
				const user_id = randomUUID();
				await deliver(purchase(user_id, 1, 100));
				await confirmed(user_id);
				published.length = 0;
				const foreign = claimed(received({ id: "theirs", user_id, amount: 5 }, claim));
				assert.deepEqual(await deliver(foreign), { duplicates: 0 });
				assert.deepEqual(
					recorded.map(({ id, user_id, amount }) => [id, user_id, amount]),
					[["theirs", user_id, 5]]
				);
				assert.deepEqual([await totalOf(user_id), published], [1, []]);
			});

		it("sets the total to the one in Postgres, if the purchase is stored there", async () => {
			const user_id = randomUUID();
			const old = signed(longAgo, received({ id: "known", user_id, amount: 3 }, claim));
			await deliver(old);
			bought.set(user_id, { seq: 2, total_cents: 300 });
			assert.deepEqual(await deliver(old, old), { duplicates: 2 });
			assert.deepEqual(
				published.map(({ message, options }) => [options.headers?.seq, message.balances.total]),
				[["2", 3]]
			);
			assert.equal(await totalOf(user_id), 3);
			await confirmed(user_id);
			lookups = 0;
			const others = signed(longAgo, received({ id: "known", user_id, amount: 3 }, claim));
			assert.deepEqual(await deliver(old, others, old), { duplicates: 3 });
			assert.equal(lookups, 1, "one lookup for a user of the batch");
		});

		it("waits while Postgres is unavailable", async () => {
			failing.purchases = true;
			const user_id = randomUUID();
			const old = signed(longAgo, received({ id: "known", user_id, amount: 3 }, claim));
			await assert.rejects(deliver(old, old), error => isUnavailable(error));
			assert.deepEqual(published, []);
		});
	});

	it("returns the same over gRPC, and rejects invalid ids with INVALID_ARGUMENT", async t => {
		const { port } = (service as unknown as { grpc: { port: number } }).grpc;
		const client = grpcClient(`127.0.0.1:${port}`);
		t.after(() => client.close());
		const user_id = "x".repeat(64);
		await deliver(...Array.from({ length: 100 }, (_, n) => purchase(user_id, n + 1, (n + 1) * 4999)));
		assert.deepEqual(await client.getBalance(user_id), { balances: { total: 4999 } });
		assert.deepEqual(await client.getTotalSpent(user_id), { balances: { total: 4999 } });
		assert.deepEqual(await client.getBalance(randomUUID()), { balances: { total: 0 } });
		for (const bad of ["", "x".repeat(65), "a\u0000b", "line\nbreak"]) {
			await assert.rejects(client.getBalance(bad), { code: status.INVALID_ARGUMENT }, JSON.stringify(bad));
			await assert.rejects(client.getTotalSpent(bad), { code: status.INVALID_ARGUMENT }, JSON.stringify(bad));
		}
		failing.store = failing.purchases = true;
		await assert.rejects(client.getBalance(user_id), { code: status.UNAVAILABLE });
		assert.deepEqual(await client.check("wallet.WalletService"), { status: "SERVING" });
	});
});
