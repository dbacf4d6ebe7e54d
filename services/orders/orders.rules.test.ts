import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "./orders.contract.ts";
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

describe("the life of an order", () => {
	const steps = (asker: Actor) =>
		Status.options.flatMap(from =>
			Status.options.flatMap(to => {
				const decision = decideTransition(from, to, asker);
				return typeof decision === "object" && !(decision instanceof Error) ? [`${from} > ${to}`] : [];
			})
		);

	it("goes forward one step at a time by an admin, and ends early while nothing has been shipped", () => {
		assert.equal(INITIAL.status, "pending");
		assert.deepEqual(steps("admin"), [
			"pending > processing",
			"pending > cancelled",
			"processing > shipped",
			"processing > cancelled",
			"shipped > delivered"
		]);
	});

	it("can only be ended by its buyer, and by nobody at all", () => {
		const ends = ["pending > cancelled", "processing > cancelled"];
		assert.deepEqual([steps("buyer"), steps("system")], [ends, ends]);
	});

	it("stays as it is when it is to be what it is, whoever asks", () => {
		for (const asker of ["buyer", "admin", "system"] as const)
			for (const status of Status.options) assert.equal(decideTransition(status, status, asker), "nothing");
	});

	it("has no other steps: 409 says from where to where, 403 that it is somebody else's", () => {
		const refused = decideTransition("shipped", "cancelled", "buyer") as Error & { code: number; type: string; data: object };
		assert.deepEqual([refused.code, refused.type, refused.data], [409, "BAD_TRANSITION", { from: "shipped", to: "cancelled" }]);
		assert.equal((decideTransition("pending", "processing", "buyer") as { type?: string }).type, "FORBIDDEN");
	});

	it("tells each change by order.updated, except a cancellation; shipping and delivery besides", () => {
		for (const { to, publishes } of TRANSITIONS) {
			const expected = { processing: ["order.updated"], cancelled: ["order.cancelled"] } as Record<string, string[]>;
			assert.deepEqual(publishes, expected[to] ?? ["order.updated", `order.${to}`]);
		}
	});
});

describe("what is told of an order", () => {
	it("is numbered message by message, up to the order's own number, and says how long after the one before", () => {
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

	it("has the lines as they were asked for, with decimal prices, and no more of the order than is anybody's business", () => {
		const [created] = toMessages(["order.created"], { ...order, status: "pending", seq: 1 });
		const { shippingAddress, ...rest } = toResponse({ ...order, status: "pending" });
		assert.deepEqual(created?.message, rest);
		assert.deepEqual(rest.items[0], { productId: "p1", quantity: 3, sku: "OIL-1", name: "Olive oil", price: 12.5 });
		assert.deepEqual([rest.total, shippingAddress], [50, order.shippingAddress]);
	});
});

describe("an order's id", () => {
	it("is the same for the same buyer, key and attempt, another for any other, and a UUID", () => {
		const ids = [orderIdOf("ann", "k", 0), orderIdOf("ann", "k", 1), orderIdOf("ann", "l", 0), orderIdOf("bob", "k", 0)];
		assert.equal(new Set(ids).size, 4);
		assert.equal(orderIdOf("ann", "k", 0), ids[0]);
		for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	});

	it("does not depend on where the buyer's id ends and the key begins", () =>
		assert.notEqual(orderIdOf("ab", "c", 0), orderIdOf("a", "bc", 0)));

	it("is a new one each time without a key", () =>
		assert.notEqual(orderIdOf("ann", undefined, 0), orderIdOf("ann", undefined, 0)));
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

	it("is refused with the first product that the catalogue does not know", () => {
		const lines = ["p1", "p2", "p3"].map(productId => ({ productId, quantity: 1 }));
		assert.deepEqual(priceItems(lines, catalogue), { unknown: "p2" });
	});

	it("is a retry if it asks for the same lines in the same order to the same address, whatever they cost by now", () => {
		const request = {
			items: order.items.map(({ productId, quantity }) => ({ quantity, productId })),
			shippingAddress: order.shippingAddress
		};
		assert.ok(isRetryOf(order, request));
		assert.ok(!isRetryOf(order, { ...request, items: request.items.toReversed() }));
		assert.ok(!isRetryOf(order, { ...request, shippingAddress: { street: "2 Main Street" } }));
	});
});
