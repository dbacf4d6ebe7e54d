// What becomes of orders, and who may see it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { startExpiry } from "./orders.expiry.ts";
import { ADDRESS, type OrdersNode } from "./orders.suite.ts";
import { deliver, newIdentity, newProduct } from "./orders.testing.ts";

export const lifeSuite = ({ market, store, service, db, as, told, ordered }: OrdersNode) => {
	const admin = newIdentity("admin");
	const asAdmin = () => as(admin);
	const move = (id: string, status: "pending" | "processing" | "shipped" | "delivered" | "cancelled") =>
		asAdmin()("orders.setStatus", { id, status });
	const topicsOf = async (orderId: string) => (await told(orderId)).map(({ topic, seq }) => `${seq} ${topic}`);

	describe("a status", () => {
		it("is told at every step, each message with the next number, and once where it is set twice", async () => {
			const { orderId, buyer } = await ordered();
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
			const { message } = (await told(orderId))[2]!;
			const { updatedAt, ...rest } = message;
			assert.deepEqual(rest, { orderId, status: "shipped", previousStatus: "processing", buyerId: buyer.id });
			assert.equal(new Date(updatedAt as string).toISOString(), updatedAt);
		});

		it("takes no step that there is not: 409 says from where to where, and nothing is told", async () => {
			const { orderId } = await ordered();
			const data = { from: "pending", to: "delivered" };
			await assert.rejects(move(orderId, "delivered"), { code: 409, type: "BAD_TRANSITION", data });
			await move(orderId, "processing");
			await move(orderId, "shipped");
			await assert.rejects(move(orderId, "cancelled"), { type: "BAD_TRANSITION", data: { from: "shipped", to: "cancelled" } });
			assert.equal((await told(orderId)).length, 4);
		});

		it("changes once, however many want to change it at once", async () => {
			const { orderId, call } = await ordered();
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

		it("is of no order that does not exist", async () => {
			for (const asked of [move(randomUUID(), "shipped"), asAdmin()("orders.cancel", { id: randomUUID() })])
				await assert.rejects(asked, { code: 404, type: "NOT_FOUND" });
		});
	});

	describe("a cancellation", () => {
		it("is told once, by its own topic alone, however often it is asked for", async () => {
			const { orderId, buyer, call } = await ordered();
			const answers = await Promise.all(Array.from({ length: 5 }, () => call("orders.cancel", { id: orderId })));
			answers.push(await call("orders.cancel", { id: orderId }));
			for (const answer of answers) assert.deepEqual([answer.orderId, answer.status], [orderId, "cancelled"]);
			assert.deepEqual(await topicsOf(orderId), ["1 order.created", "2 order.cancelled"]);
			const { cancelledAt, ...rest } = (await told(orderId))[1]!.message;
			assert.deepEqual(rest, { orderId, buyerId: buyer.id });
			assert.equal(new Date(cancelledAt as string).toISOString(), cancelledAt);
		});

		it("is the same when an admin sets the status", async () => {
			const { orderId } = await ordered();
			await move(orderId, "cancelled");
			assert.deepEqual(await topicsOf(orderId), ["1 order.created", "2 order.cancelled"]);
		});

		it("is its buyer's and an admin's; to anybody else there is no such order", async () => {
			const [one, other] = [await ordered(), await ordered()];
			await assert.rejects(as(newIdentity())("orders.cancel", { id: one.orderId }), { code: 404, type: "NOT_FOUND" });
			await assert.rejects(as()("orders.cancel", { id: one.orderId }), { type: "UNAUTHORIZED" });
			assert.equal((await one.call("orders.get", { id: one.orderId })).status, "pending");
			assert.equal((await asAdmin()("orders.cancel", { id: other.orderId })).status, "cancelled");
		});
	});

	describe("the figures", () => {
		const figures = async (since?: string) => asAdmin()("orders.figures", { since });

		it("count every order at its status, and those that were not cancelled since a moment", async () => {
			const beginning = await figures();
			const [first, second, third] = [await ordered(), await ordered(), await ordered()];
			await move(first.orderId, "processing");
			await third.call("orders.cancel", { id: third.orderId });
			const now = await figures();
			const more = Object.entries(now.statuses).map(([status, count]) => [
				status,
				count - beginning.statuses[status as "pending"]
			]);
			assert.deepEqual(Object.fromEntries(more), { pending: 1, processing: 1, shipped: 0, delivered: 0, cancelled: 1 });
			assert.deepEqual([now.orders - beginning.orders, now.revenue - beginning.revenue], [2, 25]);

			const { createdAt } = await second.call("orders.get", { id: second.orderId });
			const since = await figures(createdAt);
			assert.deepEqual([since.since, since.orders, since.revenue], [createdAt, 1, 12.5]);
		});

		it("have an entry for each of the last 60 minutes, and leave out ids under which nothing is to be stored", async () => {
			await ordered();
			const before = await figures();
			await store().voidUnknown([randomUUID()]);
			const after = await figures();
			assert.deepEqual(after.statuses, before.statuses);
			const times = after.minutes.map(({ at }) => Date.parse(at));
			assert.equal(times.length, 60);
			for (const [n, at] of times.entries()) assert.equal(at, times[0]! + n * 60_000);
			const sum = after.minutes.reduce((sum, { orders }) => sum + orders, 0);
			assert.ok(sum >= 1 && sum <= Object.values(after.statuses).reduce((all, count) => all + count, 0));
		});
	});

	describe("a list", () => {
		const page = async (call: ReturnType<typeof as>, asked: { limit?: number; after?: string; buyerId?: string } = {}) =>
			(await call("orders.list", asked)).map(({ orderId }) => orderId);

		it("is one's own, the newest first, page by page, and says the same as the order itself", async () => {
			const [buyer, { productId }] = [newIdentity(), market.add(newProduct())];
			const call = as(buyer);
			const ids: string[] = [];
			for (let n = 0; n < 5; n++) {
				ids.unshift((await call("orders.create", { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS })).orderId);
				await ordered();
			}
			assert.deepEqual(await page(call), ids);
			assert.deepEqual(await page(call, { limit: 2 }), ids.slice(0, 2));
			assert.deepEqual(await page(call, { limit: 2, after: ids[1] }), ids.slice(2, 4));
			assert.deepEqual(await page(call, { after: ids[4] }), []);
			assert.deepEqual((await call("orders.list", { limit: 1 }))[0], await call("orders.get", { id: ids[0]! }));
			assert.deepEqual(await page(as(newIdentity())), []);
		});

		it("is everybody's to an admin, and goes on where another page ended", async () => {
			const [first, second] = [await ordered(), await ordered()];
			assert.deepEqual(await page(asAdmin(), { limit: 2 }), [second.orderId, first.orderId]);
			assert.deepEqual(await page(asAdmin(), { limit: 1, after: second.orderId }), [first.orderId]);
		});

		it("is one buyer's where an admin asks for that, and one's own whomever one asks for", async () => {
			const [mine, theirs] = [await ordered(), await ordered()];
			const of = (call: ReturnType<typeof as>) => page(call, { buyerId: theirs.buyer.id });
			assert.deepEqual(await of(asAdmin()), [theirs.orderId]);
			assert.deepEqual(await of(mine.call), [mine.orderId]);
		});

		it("does not begin after an order that one cannot see", async () => {
			const [mine, theirs] = [await ordered(), await ordered()];
			for (const after of [randomUUID(), theirs.orderId])
				await assert.rejects(page(mine.call, { after }), { code: 422, type: "VALIDATION_ERROR" });
		});

		it("and a single order, are for who is signed in; somebody else's is not there", async () => {
			const { orderId, buyer, call } = await ordered();
			await assert.rejects(page(as()), { type: "UNAUTHORIZED" });
			await assert.rejects(as(newIdentity())("orders.get", { id: orderId }), { code: 404, type: "NOT_FOUND" });
			assert.deepEqual(await asAdmin()("orders.get", { id: orderId }), await call("orders.get", { id: orderId }));
			assert.deepEqual(await as()("orders.buyer", { orderId }), { buyerId: buyer.id });
		});
	});

	describe("a payment", () => {
		const paymentFor = ({ orderId, buyer }: { orderId: string; buyer: { id: string } }) => ({
			orderId,
			buyerId: buyer.id,
			amount: 1
		});

		it("that has failed cancels its order, once", async () => {
			const order = await ordered();
			assert.deepEqual(await deliver(service(), "payment.failed", paymentFor(order), paymentFor(order)), { duplicates: 1 });
			assert.equal((await order.call("orders.get", { id: order.orderId })).status, "cancelled");
			assert.deepEqual(await topicsOf(order.orderId), ["1 order.created", "2 order.cancelled"]);
		});

		it("that has failed is refused where it comes too late to cancel, or for no order: a person has to look at it", async () => {
			const order = await ordered();
			for (const status of ["processing", "shipped"] as const) await move(order.orderId, status);
			await assert.rejects(deliver(service(), "payment.failed", paymentFor(order)), { type: "BAD_TRANSITION" });
			const unknown = { orderId: randomUUID(), buyer: newIdentity() };
			await assert.rejects(deliver(service(), "payment.failed", paymentFor(unknown)), { type: "NOT_FOUND" });
		});

		it("that has succeeded is remembered, once, and tells nothing", async () => {
			const [one, other] = [await ordered(), await ordered()];
			const messages = [one, other, one].map(paymentFor);
			assert.deepEqual(await deliver(service(), "payment.succeeded", ...messages), { duplicates: 1 });
			assert.deepEqual(await deliver(service(), "payment.succeeded", ...messages), { duplicates: 3 });
			assert.equal((await told(one.orderId)).length, 1);
		});

		it("that is not made in time cancels its order, once over all nodes; not one that is paid, under way, or younger", async () => {
			const [pending, processing, shipped, paid, young] = await Promise.all(Array.from({ length: 5 }, ordered));
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
