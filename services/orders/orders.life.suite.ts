// The promises about an order's status, its visibility, statistics and payment.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { startExpiry } from "./orders.expiry.ts";
import { ADDRESS, deliver, newIdentity, newProduct, type OrdersNode } from "./orders.testing.ts";

export const lifeSuite = ({ stock, lines, store, service, db, as, published, newOrder }: OrdersNode) => {
	const admin = newIdentity("admin");
	const asAdmin = () => as(admin);
	const move = (id: string, status: "pending" | "processing" | "shipped" | "delivered" | "cancelled") =>
		asAdmin()("orders.setStatus", { id, status });
	const topicsOf = async (orderId: string) => (await published(orderId)).map(({ topic, seq }) => `${seq} ${topic}`);

	describe("a status", () => {
		it("is published at every transition, each message with the next number, and once if it is set twice", async () => {
			const { orderId, buyer } = await newOrder();
			for (const status of ["processing", "shipped", "delivered"] as const) {
				assert.equal((await move(orderId, status)).status, status);
				assert.equal((await move(orderId, status)).status, status);
			}
			assert.deepEqual(await topicsOf(orderId), [
				"1 order.created",
				"2 order.updated",
				"3 order.updated",
				"4 order.shipped",
				"5 order.updated",
				"6 order.delivered"
			]);
			const { message } = (await published(orderId))[2]!;
			const { updatedAt, ...rest } = message;
			assert.deepEqual(rest, { orderId, status: "shipped", previousStatus: "processing", buyerId: buyer.id });
			assert.equal(new Date(updatedAt as string).toISOString(), updatedAt);
		});

		it("is logged at every transition, with ids only", async () => {
			const { orderId, call } = await newOrder();
			await move(orderId, "processing");
			await move(orderId, "processing");
			await call("orders.cancel", { id: orderId });
			const logged = lines.filter(line => line.startsWith("changed an order") && line.includes(orderId));
			assert.deepEqual(
				logged.map(line => /from: .*by: '\w+'/.exec(line)?.[0]),
				["from: 'pending', to: 'processing', by: 'admin'", "from: 'processing', to: 'cancelled', by: 'buyer'"]
			);
		});

		it("refuses an unknown transition: 409 names both statuses, and nothing is published", async () => {
			const { orderId } = await newOrder();
			const data = { from: "pending", to: "delivered" };
			await assert.rejects(move(orderId, "delivered"), { code: 409, type: "BAD_TRANSITION", data });
			await move(orderId, "processing");
			await move(orderId, "shipped");
			await assert.rejects(move(orderId, "cancelled"), { type: "BAD_TRANSITION", data: { from: "shipped", to: "cancelled" } });
			assert.equal((await published(orderId)).length, 4);
		});

		it("changes once under concurrent requests", async () => {
			const { orderId, call } = await newOrder();
			await move(orderId, "processing");
			const answers = await Promise.allSettled([
				...Array.from({ length: 10 }, () => call("orders.cancel", { id: orderId })),
				...Array.from({ length: 10 }, () => move(orderId, "shipped"))
			]);
			const { status } = await call("orders.get", { id: orderId });
			assert.ok(status === "shipped" || status === "cancelled", status);
			const refused = answers.flatMap(answer => (answer.status === "rejected" ? [answer.reason.type] : []));
			assert.deepEqual(refused, Array(10).fill("BAD_TRANSITION"));
			const end = status === "cancelled" ? ["3 order.cancelled"] : ["3 order.updated", "4 order.shipped"];
			assert.deepEqual((await topicsOf(orderId)).slice(2), end);
		});

		it("of an unknown order is 404", async () => {
			for (const request of [move(randomUUID(), "shipped"), asAdmin()("orders.cancel", { id: randomUUID() })])
				await assert.rejects(request, { code: 404, type: "NOT_FOUND" });
		});
	});

	describe("a cancellation", () => {
		it("is published once, on its own topic only, however often it is requested", async () => {
			const { orderId, buyer, call } = await newOrder();
			const answers = await Promise.all(Array.from({ length: 5 }, () => call("orders.cancel", { id: orderId })));
			answers.push(await call("orders.cancel", { id: orderId }));
			for (const answer of answers) assert.deepEqual([answer.orderId, answer.status], [orderId, "cancelled"]);
			assert.deepEqual(await topicsOf(orderId), ["1 order.created", "2 order.cancelled"]);
			const { cancelledAt, ...rest } = (await published(orderId))[1]!.message;
			assert.deepEqual(rest, { orderId, buyerId: buyer.id });
			assert.equal(new Date(cancelledAt as string).toISOString(), cancelledAt);
		});

		it("is the same when an admin sets the status", async () => {
			const { orderId } = await newOrder();
			await move(orderId, "cancelled");
			assert.deepEqual(await topicsOf(orderId), ["1 order.created", "2 order.cancelled"]);
		});

		it("is allowed to the buyer and to admins; for others the order does not exist", async () => {
			const [one, other] = [await newOrder(), await newOrder()];
			await assert.rejects(as(newIdentity())("orders.cancel", { id: one.orderId }), { code: 404, type: "NOT_FOUND" });
			await assert.rejects(as()("orders.cancel", { id: one.orderId }), { type: "UNAUTHORIZED" });
			assert.equal((await one.call("orders.get", { id: one.orderId })).status, "pending");
			assert.equal((await asAdmin()("orders.cancel", { id: other.orderId })).status, "cancelled");
		});
	});

	describe("the statistics", () => {
		const statistics = async (since?: string) => asAdmin()("orders.figures", { since });

		it("count every order by status, and those that were created since a time and not cancelled", async () => {
			const beginning = await statistics();
			const [first, second, third] = [await newOrder(), await newOrder(), await newOrder()];
			await move(first.orderId, "processing");
			await third.call("orders.cancel", { id: third.orderId });
			const now = await statistics();
			const more = Object.entries(now.statuses).map(([status, count]) => [
				status,
				count - beginning.statuses[status as "pending"]
			]);
			assert.deepEqual(Object.fromEntries(more), { pending: 1, processing: 1, shipped: 0, delivered: 0, cancelled: 1 });
			assert.deepEqual([now.orders - beginning.orders, now.revenue - beginning.revenue], [2, 25]);

			const { createdAt } = await second.call("orders.get", { id: second.orderId });
			const since = await statistics(createdAt);
			assert.deepEqual([since.since, since.orders, since.revenue], [createdAt, 1, 12.5]);
		});

		it("have an entry for each of the last 60 minutes, and do not count void ids", async () => {
			await newOrder();
			const before = await statistics();
			await store().voidUnknown([randomUUID()]);
			const after = await statistics();
			assert.deepEqual(after.statuses, before.statuses);
			const times = after.minutes.map(({ at }) => Date.parse(at));
			assert.equal(times.length, 60);
			for (const [n, at] of times.entries()) assert.equal(at, times[0]! + n * 60_000);
			const sum = after.minutes.reduce((sum, { orders }) => sum + orders, 0);
			assert.ok(sum >= 1 && sum <= Object.values(after.statuses).reduce((all, count) => all + count, 0));
		});
	});

	describe("cancelling", () => {
		it("stores the cancellations of one client one at a time", async () => {
			const [buyer, { productId }] = [newIdentity(), stock.add(newProduct())];
			const call = as(buyer);
			const order = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS };
			const ids = [await call("orders.create", order), await call("orders.create", order)].map(({ orderId }) => orderId);
			const { applyTransition } = store();
			let [open, most] = [0, 0];
			store().applyTransition = async (...change) => {
				most = Math.max(most, ++open);
				return applyTransition(...change).finally(() => open--);
			};
			try {
				const cancelled = await Promise.all(ids.map(id => call("orders.cancel", { id })));
				assert.deepEqual(
					cancelled.map(({ status }) => status),
					["cancelled", "cancelled"]
				);
				assert.equal(most, 1);
			} finally {
				store().applyTransition = applyTransition;
			}
		});
	});

	describe("a list", () => {
		const page = async (call: ReturnType<typeof as>, request: { limit?: number; after?: string; buyerId?: string } = {}) =>
			(await call("orders.list", request)).map(({ orderId }) => orderId);

		it("holds the caller's orders, the newest first, page by page, equal to orders.get", async () => {
			const [buyer, { productId }] = [newIdentity(), stock.add(newProduct())];
			const call = as(buyer);
			const ids: string[] = [];
			for (let n = 0; n < 5; n++) {
				ids.unshift((await call("orders.create", { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS })).orderId);
				await newOrder();
			}
			assert.deepEqual(await page(call), ids);
			assert.deepEqual(await page(call, { limit: 2 }), ids.slice(0, 2));
			assert.deepEqual(await page(call, { limit: 2, after: ids[1] }), ids.slice(2, 4));
			assert.deepEqual(await page(call, { after: ids[4] }), []);
			assert.deepEqual((await call("orders.list", { limit: 1 }))[0], await call("orders.get", { id: ids[0]! }));
			assert.deepEqual(await page(as(newIdentity())), []);
		});

		it("is read for one client at a time", async () => {
			const { list } = store();
			let [open, most] = [0, 0];
			store().list = async request => {
				most = Math.max(most, ++open);
				return list(request).finally(() => open--);
			};
			try {
				const call = as(newIdentity());
				assert.deepEqual(await Promise.all([page(call), page(call), page(call)]), [[], [], []]);
				assert.equal(most, 1);
				await Promise.all([page(as(newIdentity())), page(as(newIdentity()))]);
				assert.equal(most, 2);
			} finally {
				store().list = list;
			}
		});

		it("holds all orders for an admin, and continues after the previous page", async () => {
			const [first, second] = [await newOrder(), await newOrder()];
			assert.deepEqual(await page(asAdmin(), { limit: 2 }), [second.orderId, first.orderId]);
			assert.deepEqual(await page(asAdmin(), { limit: 1, after: second.orderId }), [first.orderId]);
		});

		it("is filtered by buyer for an admin; other callers always get their own", async () => {
			const [mine, theirs] = [await newOrder(), await newOrder()];
			const of = (call: ReturnType<typeof as>) => page(call, { buyerId: theirs.buyer.id });
			assert.deepEqual(await of(asAdmin()), [theirs.orderId]);
			assert.deepEqual(await of(mine.call), [mine.orderId]);
		});

		it("refuses to continue after an order that the caller cannot see", async () => {
			const [mine, theirs] = [await newOrder(), await newOrder()];
			for (const after of [randomUUID(), theirs.orderId])
				await assert.rejects(page(mine.call, { after }), { code: 422, type: "VALIDATION_ERROR" });
		});

		it("and a single order require a token; another buyer's order is 404", async () => {
			const { orderId, buyer, call } = await newOrder();
			await assert.rejects(page(as()), { type: "UNAUTHORIZED" });
			await assert.rejects(as(newIdentity())("orders.get", { id: orderId }), { code: 404, type: "NOT_FOUND" });
			assert.deepEqual(await asAdmin()("orders.get", { id: orderId }), await call("orders.get", { id: orderId }));
			assert.deepEqual(await as()("orders.buyer", { orderId }), { buyerId: buyer.id });
			assert.deepEqual(await as()("orders.stored", { orderId }), { buyerId: buyer.id, total: 12.5, status: "pending" });
			await assert.rejects(as()("orders.stored", { orderId: randomUUID() }), { code: 404, type: "NOT_FOUND" });
		});
	});

	describe("a payment", () => {
		const paymentFor = ({ orderId, buyer }: { orderId: string; buyer: { id: string } }) => ({
			orderId,
			buyerId: buyer.id,
			amount: 1
		});

		it("that failed cancels its order, once", async () => {
			const order = await newOrder();
			assert.deepEqual(await deliver(service(), "payment.failed", paymentFor(order), paymentFor(order)), { duplicates: 1 });
			assert.equal((await order.call("orders.get", { id: order.orderId })).status, "cancelled");
			assert.deepEqual(await topicsOf(order.orderId), ["1 order.created", "2 order.cancelled"]);
		});

		it("that failed is refused if the order can no longer be cancelled or does not exist: it goes to the dead letters", async () => {
			const order = await newOrder();
			for (const status of ["processing", "shipped"] as const) await move(order.orderId, status);
			await assert.rejects(deliver(service(), "payment.failed", paymentFor(order)), { type: "BAD_TRANSITION" });
			const unknown = { orderId: randomUUID(), buyer: newIdentity() };
			await assert.rejects(deliver(service(), "payment.failed", paymentFor(unknown)), { type: "NOT_FOUND" });
		});

		it("that succeeded is stored once, and publishes nothing", async () => {
			const [one, other] = [await newOrder(), await newOrder()];
			const messages = [one, other, one].map(paymentFor);
			assert.deepEqual(await deliver(service(), "payment.succeeded", ...messages), { duplicates: 1 });
			assert.deepEqual(await deliver(service(), "payment.succeeded", ...messages), { duplicates: 3 });
			assert.equal((await published(one.orderId)).length, 1);
		});

		it("that is overdue cancels its order, once over all nodes; not an order that is paid, shipped, or younger", async () => {
			const [pending, processing, shipped, paid, young] = await Promise.all(Array.from({ length: 5 }, newOrder));
			const all = [pending, processing, shipped, paid].map(order => order!.orderId);
			await move(processing!.orderId, "processing");
			for (const status of ["processing", "shipped"] as const) await move(shipped!.orderId, status);
			await deliver(service(), "payment.succeeded", paymentFor(paid!));
			const hour = 3_600_000;
			await db()("orders")
				.whereIn("id", all)
				.update({ created_at: new Date(Date.now() - 2 * hour) });

			const cancelled: string[] = [];
			const lines = { info: (_line: string, { order }: { order: string }) => cancelled.push(order), warn: assert.fail };
			const nodes = Array.from({ length: 2 }, () => startExpiry(store(), hour, lines as never, 1));
			await eventually(() => assert.ok(cancelled.length >= 2), "the unpaid orders to be cancelled");
			await Promise.all(nodes.map(one => one.stop()));
			assert.deepEqual(cancelled.toSorted(), [pending!.orderId, processing!.orderId].toSorted());
			assert.deepEqual(await topicsOf(pending!.orderId), ["1 order.created", "2 order.cancelled"]);
			assert.deepEqual(await topicsOf(processing!.orderId), ["1 order.created", "2 order.updated", "3 order.cancelled"]);
			assert.equal((await young!.call("orders.get", { id: young!.orderId })).status, "pending");
		});
	});
};
