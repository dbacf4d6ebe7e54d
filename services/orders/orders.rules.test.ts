import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { actions, Status } from "./orders.contract.ts";
import { type Actor, decideTransition, INITIAL, TRANSITIONS } from "./orders.machine.ts";
import { isRetryOf, orderIdOf, priceItems, type StoredOrder, toMessages, toResponse } from "./orders.rules.ts";

const NOW = new Date("2026-01-31T12:00:00.000Z");
const order: StoredOrder = {
	orderId: "order-1",
	buyerId: "ann",
	items: [
		{ productId: "p1", quantity: 3, sku: "OIL-1", name: "Olive oil", priceCents: 1250 },
		{ productId: "p1", quantity: 1, sku: "OIL-1", name: "Olive oil", priceCents: 1250 }
	],
	totalCents: 5000,
	status: "shipped",
	shippingAddress: { street: "1 Main Street" },
	seq: 4,
	createdAt: NOW,
	updatedAt: NOW
};

describe("the state machine of an order", () => {
	const transitions = (actor: Actor) =>
		Status.options.flatMap(from =>
			Status.options.flatMap(to => {
				const decision = decideTransition(from, to, actor);
				return typeof decision === "object" && !(decision instanceof Error) ? [`${from} > ${to}`] : [];
			})
		);

	it("lets an admin go forward one status at a time, and cancel before shipping", () => {
		assert.equal(INITIAL.status, "pending");
		assert.deepEqual(transitions("admin"), [
			"pending > processing",
			"pending > cancelled",
			"processing > shipped",
			"processing > cancelled",
			"shipped > delivered"
		]);
	});

	it("lets a buyer and the system only cancel", () => {
		const cancellations = ["pending > cancelled", "processing > cancelled"];
		assert.deepEqual([transitions("buyer"), transitions("system")], [cancellations, cancellations]);
	});

	it("changes nothing for the present status, for every actor", () => {
		for (const actor of ["buyer", "admin", "system"] as const)
			for (const status of Status.options) assert.equal(decideTransition(status, status, actor), "unchanged");
	});

	it("has no other transitions: 409 names both statuses, 403 a missing permission", () => {
		const refused = decideTransition("shipped", "cancelled", "buyer") as Error & { code: number; type: string; data: object };
		assert.deepEqual([refused.code, refused.type, refused.data], [409, "BAD_TRANSITION", { from: "shipped", to: "cancelled" }]);
		assert.equal((decideTransition("pending", "processing", "buyer") as { type?: string }).type, "FORBIDDEN");
	});

	it("publishes order.updated for each change except a cancellation, and one more message for shipping and delivery", () => {
		for (const { to, publishes } of TRANSITIONS) {
			const expected = { processing: ["order.updated"], cancelled: ["order.cancelled"] } as Record<string, string[]>;
			assert.deepEqual(publishes, expected[to] ?? ["order.updated", `order.${to}`]);
		}
	});
});

describe("a message of an order", () => {
	it("is numbered, up to the order's own number, and has the time since the previous change", () => {
		const before = { status: "processing", seq: 2, updatedAt: new Date(NOW.getTime() - 250) } as const;
		assert.deepEqual(toMessages(["order.updated", "order.shipped"], order, before, "request-1"), [
			{
				topic: "order.updated",
				message: {
					orderId: "order-1",
					status: "shipped",
					previousStatus: "processing",
					updatedAt: NOW.toISOString(),
					buyerId: "ann"
				},
				headers: { seq: "3", after_ms: "250" },
				requestID: "request-1"
			},
			{
				topic: "order.shipped",
				message: { orderId: "order-1", buyerId: "ann", shippedAt: NOW.toISOString() },
				headers: { seq: "4" },
				requestID: "request-1"
			}
		]);
	});

	it("has the requested lines with decimal prices, and not the address", () => {
		const [created] = toMessages(["order.created"], { ...order, status: "pending", seq: 1 });
		const { shippingAddress, ...rest } = toResponse({ ...order, status: "pending" });
		assert.deepEqual(created?.message, rest);
		assert.deepEqual(rest.items[0], { productId: "p1", quantity: 3, sku: "OIL-1", name: "Olive oil", price: 12.5 });
		assert.deepEqual([rest.total, shippingAddress], [50, order.shippingAddress]);
	});
});

describe("an order's id", () => {
	it("is equal for the same buyer, key and attempt, different for any other, and a UUID", () => {
		const ids = [orderIdOf("ann", "k", 0), orderIdOf("ann", "k", 1), orderIdOf("ann", "l", 0), orderIdOf("bob", "k", 0)];
		assert.equal(new Set(ids).size, 4);
		assert.equal(orderIdOf("ann", "k", 0), ids[0]);
		for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	});

	it("separates the buyer's id from the key", () => assert.notEqual(orderIdOf("ab", "c", 0), orderIdOf("a", "bc", 0)));

	it("is random without a key", () => assert.notEqual(orderIdOf("ann", undefined, 0), orderIdOf("ann", undefined, 0)));
});

describe("a request", () => {
	const catalogue = [{ productId: "p1", sku: "OIL-1", name: "Olive oil", price: 0.1 }];

	it("costs what the catalogue says, in exact cents", () => {
		const answer = priceItems([{ productId: "p1", quantity: 3 }], catalogue);
		assert.deepEqual(answer, {
			items: [{ productId: "p1", quantity: 3, sku: "OIL-1", name: "Olive oil", priceCents: 10 }],
			totalCents: 30
		});
	});

	it("counts as one for each started ten lines, and more lines than are allowed as no more", () => {
		const cost = actions["orders.create"].cost!;
		for (const [lines, requests] of [
			[0, 1],
			[1, 1],
			[10, 1],
			[11, 2],
			[100, 10],
			[2_000, 10]
		] as const)
			assert.equal(cost({ items: new Array(lines).fill({}) }), requests);
		assert.equal(cost({}), 1);
	});

	it("is refused with the first product that the catalogue does not have", () => {
		const lines = ["p1", "p2", "p3"].map(productId => ({ productId, quantity: 1 }));
		assert.deepEqual(priceItems(lines, catalogue), { unknown: "p2" });
	});

	it("is a retry if it has the same lines in the same order and the same address, whatever they cost now", () => {
		const request = {
			items: order.items.map(({ productId, quantity }) => ({ quantity, productId })),
			shippingAddress: order.shippingAddress
		};
		assert.ok(isRetryOf(order, request));
		assert.ok(!isRetryOf(order, { ...request, items: request.items.toReversed() }));
		assert.ok(!isRetryOf(order, { ...request, shippingAddress: { street: "2 Main Street" } }));
	});
});
