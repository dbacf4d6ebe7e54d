// The promises of the payment service, on any Postgres.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Service, ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { waitUntilReachable } from "../../mixins/dependency.ts";
import { notFound } from "../../mixins/errors.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { eventually } from "../../test/client.ts";
import { noTopics } from "../../test/no-topics.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Message } from "../define-service.ts";
import { callAs, deliver, newIdentity } from "../orders/orders.testing.ts";
import { startCollector } from "./payment.collector.ts";
import { type PaymentStore, sqlPayments } from "./payment.store.ts";
import { fakeProvider } from "./payment.testing.ts";
import { payment } from "./payment.ts";

const LIMIT_CENTS = 100_000;

export const paymentSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`payment on ${where}`, () => {
		/** Whether the records have a valid proof; without it they are checked against the stored orders. */
		let isProven: boolean;
		/** What `orders.stored` answers. */
		const stored = new Map<string, { buyerId: string; total: number; status: string }>();
		/** The totals of orders that `orders.get` answers. */
		const totals = new Map<string, number>();
		const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
		const provider = fakeProvider({ limitCents: LIMIT_CENTS });
		let scratch: Scratch;
		let store: PaymentStore;
		const service = () => broker.getLocalService("payment") as Service;

		before(async () => {
			scratch = await open();
			await waitUntilReachable(scratch.db, broker.logger, () => false);
			await migrate(scratch.db, new URL("./migrations/", import.meta.url), "payment_migrations");
			store = sqlPayments(scratch.db.knex, outbox(scratch.db.knex, { contracts: topics, table: "payment_outbox" }));
			const collector = { backoff: { firstMs: 5, longestMs: 50 }, pollMs: 20, timeoutMs: 60_000 };
			const ordersOutbox = { proofs: async () => ({ sign: <R>(record: R) => record, isProven: () => isProven }) };
			broker.createService({
				name: "orders",
				actions: {
					get({ params: { id } }: { params: { id: string } }) {
						const total = totals.get(id);
						if (total === undefined) throw notFound("There is no such order");
						return { total, status: "pending" };
					},
					stored({ params: { orderId } }: { params: { orderId: string } }) {
						const order = stored.get(orderId);
						if (!order) throw notFound("There is no such order");
						return order;
					}
				}
			});
			broker.createService(payment(store, provider.port, { orders: ordersOutbox, collector, mixins: [noTopics] }));
			await broker.start();
		});
		after(async () => {
			await broker.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});
		beforeEach(() => {
			isProven = true;
			provider.before = async () => {};
			provider.after = async () => {};
		});

		const order = (total = 37.5, buyer = newIdentity()) => {
			const [orderId, createdAt] = [randomUUID(), new Date().toISOString()];
			const created: Message<"order.created"> = { orderId, buyerId: buyer.id, items: [], total, status: "pending", createdAt };
			return { orderId, buyer, created, cancelled: { orderId, buyerId: buyer.id, cancelledAt: createdAt } };
		};
		const create = (...orders: { created: Message<"order.created"> }[]) =>
			deliver(service(), "order.created", ...orders.map(({ created }) => created));
		const cancel = (...orders: { cancelled: Message<"order.cancelled"> }[]) =>
			deliver(service(), "order.cancelled", ...orders.map(({ cancelled }) => cancelled));
		const get = (orderId: string, caller?: Identity) => callAs(broker, caller)("payments.get", { orderId });
		const becomes = (orderId: string, status: string) =>
			eventually(
				async () => assert.equal((await get(orderId, newIdentity("admin"))).status, status),
				`the payment for ${orderId} to be ${status}`
			);
		const published = async (orderId: string) => {
			const rows = await scratch.db.knex("payment_outbox").where({ key: orderId }).orderBy("id");
			return rows.map(({ topic, value, headers }) => ({ topic, message: JSON.parse(value), requestID: headers["request-id"] }));
		};
		const moved = (orderId: string) => [provider.charges.get(orderId), provider.refunds.get(orderId)];
		const requestsFor = (orderId: string) => provider.requests.filter(one => one.orderId === orderId).map(({ kind }) => kind);
		const gate = () => {
			let open = () => {};
			const opened = new Promise<void>(resolve => {
				open = resolve;
			});
			return { opened, open };
		};

		it("charges an order, and publishes it once, with the order's request id", async () => {
			const one = order(49.99);
			await create(one);
			await becomes(one.orderId, "succeeded");
			assert.deepEqual(moved(one.orderId), [4999, undefined]);
			const message = { orderId: one.orderId, buyerId: one.buyer.id, amount: 49.99 };
			assert.deepEqual(await published(one.orderId), [{ topic: "payment.succeeded", message, requestID: "request-0" }]);
		});

		it("charges an order once for repeated messages, in one batch or later", async () => {
			const one = order();
			assert.deepEqual(await create(one, one), { duplicates: 1 });
			await becomes(one.orderId, "succeeded");
			assert.deepEqual(await create(one), { duplicates: 1 });
			assert.deepEqual([requestsFor(one.orderId), (await published(one.orderId)).length], [["charge"], 1]);
		});

		it("takes one statement to store an order, and one to store the answer and publish it", async () => {
			const one = order();
			const statements: string[] = [];
			const collect = ({ sql, bindings }: { sql: string; bindings: unknown[] }) => {
				const isWrite = /\bpayments\b/.test(sql) && /insert|update/.test(sql);
				if (isWrite && bindings.flat().includes(one.orderId)) statements.push(sql);
			};
			scratch.db.knex.on("query", collect);
			try {
				await create(one);
				await becomes(one.orderId, "succeeded");
			} finally {
				scratch.db.knex.removeListener("query", collect);
			}
			assert.equal(statements.length, 2, statements.join("\n"));
		});

		it("publishes payment.failed when the provider declines", async () => {
			const one = order(1000.01);
			await create(one);
			await becomes(one.orderId, "failed");
			assert.deepEqual((await published(one.orderId))[0]?.topic, "payment.failed");
			await cancel(one);
			await becomes(one.orderId, "failed");
			assert.deepEqual([moved(one.orderId), (await published(one.orderId)).length], [[undefined, undefined], 1]);
		});

		it("refunds a cancelled order once for repeated messages", async () => {
			const one = order();
			await create(one);
			await becomes(one.orderId, "succeeded");
			assert.deepEqual(await cancel(one, one), { duplicates: 1 });
			await becomes(one.orderId, "refunded");
			assert.deepEqual(await cancel(one), { duplicates: 1 });
			assert.deepEqual(
				[moved(one.orderId), requestsFor(one.orderId)],
				[
					[3750, 3750],
					["charge", "refund"]
				]
			);
		});

		it("charges nothing for an order whose cancellation comes first", async () => {
			const one = order();
			await cancel(one);
			await assert.rejects(get(one.orderId, newIdentity("admin")), { type: "NOT_FOUND" });
			await create(one);
			const after = order();
			await create(after);
			await becomes(after.orderId, "succeeded");
			await becomes(one.orderId, "cancelled");
			assert.deepEqual([requestsFor(one.orderId), await published(one.orderId)], [[], []]);
		});

		it("refunds a charge whose success comes after the cancellation", async () => {
			const [one, late] = [order(), gate()];
			provider.after = (_kind, orderId) => (orderId === one.orderId ? late.opened : Promise.resolve());
			await create(one);
			await eventually(() => assert.ok(provider.charges.has(one.orderId)), "the charge to be made");
			await cancel(one);
			assert.equal((await get(one.orderId, one.buyer)).status, "pending");
			late.open();
			await becomes(one.orderId, "refunded");
			assert.deepEqual([moved(one.orderId), (await published(one.orderId)).length], [[3750, 3750], 1]);
		});

		it("repeats a request under the same order id until it is answered, and charges once", async () => {
			const one = order();
			let fails = 3;
			provider.after = async (_kind, orderId) => {
				if (orderId === one.orderId && fails-- > 0) throw new Error("no answer");
			};
			await create(one);
			await becomes(one.orderId, "succeeded");
			const charges = provider.requests.filter(({ orderId }) => orderId === one.orderId);
			assert.deepEqual(charges, Array(4).fill({ kind: "charge", orderId: one.orderId, amountCents: 3750 }));
			assert.equal((await published(one.orderId)).length, 1);
		});

		it("repeats the request of a crashed node, not before its lease expires", async () => {
			const [abandoned, other] = [order(), order()];
			const payments = () => scratch.db.knex("payments");
			const row = { order_id: abandoned.orderId, buyer_id: abandoned.buyer.id, amount_cents: 3750, state: "charging", asked: 1 };
			await payments().insert({ ...row, ask_at: new Date(Date.now() + 3_600_000) });
			await create(other);
			await becomes(other.orderId, "succeeded");
			assert.deepEqual(requestsFor(abandoned.orderId), []);
			await payments().where({ order_id: abandoned.orderId }).update({ ask_at: new Date() });
			await becomes(abandoned.orderId, "succeeded");
			assert.deepEqual([requestsFor(abandoned.orderId), (await published(abandoned.orderId)).length], [["charge"], 1]);
		});

		it("is not delayed by a provider that does not answer for another order", async () => {
			const [slow, quick, late] = [order(), order(), gate()];
			provider.before = (_kind, orderId) => (orderId === slow.orderId ? late.opened : Promise.resolve());
			await create(slow);
			await create(quick);
			await becomes(quick.orderId, "succeeded");
			assert.equal((await get(slow.orderId, slow.buyer)).status, "pending");
			late.open();
			await becomes(slow.orderId, "succeeded");
		});

		it("charges each of many orders once when two nodes collect", async () => {
			const other = startCollector(store, provider.port, broker.logger, { pollMs: 1 });
			const orders = Array.from({ length: 250 }, () => order());
			await Promise.all([
				create(...orders.slice(0, 150)),
				create(...orders.slice(100)),
				cancel(...orders.slice(200).toReversed())
			]);
			await Promise.all(orders.slice(0, 200).map(({ orderId }) => becomes(orderId, "succeeded")));
			await eventually(async () => {
				const rows = await scratch.db.knex("payments").whereIn(
					"order_id",
					orders.slice(200).map(({ orderId }) => orderId)
				);
				for (const { state } of rows) assert.ok(["refunded", "cancelled"].includes(state), state);
			}, "the cancelled payments to be final");
			await other.stop();
			for (const [n, { orderId }] of orders.entries()) {
				const [charge, refund] = moved(orderId);
				if (n < 200) assert.deepEqual([charge, refund, requestsFor(orderId)], [3750, undefined, ["charge"]]);
				else assert.equal(charge, refund);
			}
		});

		it("refuses an order whose total is no valid amount", async () => {
			for (const total of [-1, 0.001, 1e300])
				await assert.rejects(create(order(total)), { code: 422, type: "VALIDATION_ERROR" }, String(total));
		});

		describe("a message that the outbox of orders has not provably published", () => {
			beforeEach(() => {
				isProven = false;
			});

			it("charges nothing for an order that does not exist, and is refused", async () => {
				const one = order();
				await assert.rejects(create(one), { code: 404, type: "NOT_FOUND" });
				await assert.rejects(cancel(one), { code: 404, type: "NOT_FOUND" });
				assert.equal(await scratch.db.knex("payments").where({ order_id: one.orderId }).first(), undefined);
			});

			it("charges what the stored order says, not what the message says", async () => {
				const [one, buyer] = [order(1), newIdentity()];
				stored.set(one.orderId, { buyerId: buyer.id, total: 37.5, status: "pending" });
				await create(one);
				isProven = true;
				await becomes(one.orderId, "succeeded");
				assert.deepEqual([moved(one.orderId)[0], (await get(one.orderId, buyer)).amount], [3750, 37.5]);
			});

			it("refunds nothing unless the stored order is cancelled", async () => {
				const one = order();
				stored.set(one.orderId, { buyerId: one.buyer.id, total: 37.5, status: "processing" });
				await create(one);
				await becomes(one.orderId, "succeeded");
				await assert.rejects(cancel(one), { code: 409, type: "CONFLICT" });
				assert.equal((await get(one.orderId, one.buyer)).status, "succeeded");
				stored.set(one.orderId, { buyerId: one.buyer.id, total: 37.5, status: "cancelled" });
				await cancel(one);
				await becomes(one.orderId, "refunded");
			});
		});

		it("answers the amount from the moment of the order on, also before order.created is consumed", async () => {
			const one = order();
			totals.set(one.orderId, 37.5);
			assert.deepEqual(await get(one.orderId, one.buyer), { orderId: one.orderId, amount: 37.5, status: "pending" });
		});

		it("shows a payment to its buyer and to admins; for others it does not exist", async () => {
			const one = order();
			await create(one);
			await becomes(one.orderId, "succeeded");
			assert.deepEqual(await get(one.orderId, one.buyer), { orderId: one.orderId, amount: 37.5, status: "succeeded" });
			for (const [id, caller] of [
				[one.orderId, newIdentity()],
				[randomUUID(), newIdentity()],
				[randomUUID(), newIdentity("admin")]
			] as const)
				await assert.rejects(get(id, caller), { code: 404, type: "NOT_FOUND" });
			await assert.rejects(get(one.orderId), { code: 401, type: "UNAUTHORIZED" });
		});
	});
