import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { applyEvents, type EventType, type PaymentEvent, type StoredPayment, toResponse } from "./payment.rules.ts";

const event = (type: EventType): PaymentEvent =>
	type === "ordered" ? { orderId: "o", type, buyerId: "ann", amountCents: 500, requestID: "request-1" } : { orderId: "o", type };
/** The result of these events for one payment. */
const after = (...types: EventType[]) => {
	const { changed, messages, duplicates } = applyEvents([], types.map(event));
	return { state: changed[0]?.state, topics: messages.map(({ topic }) => topic), duplicates, payment: changed[0] };
};

describe("a payment", () => {
	it("is charged, and published with its order's request id", () => {
		assert.equal(after("ordered", "requested", "approved").state, "succeeded");
		const { messages } = applyEvents([], [event("ordered"), event("requested"), event("approved")]);
		const message = { orderId: "o", buyerId: "ann", amount: 5 };
		assert.deepEqual(messages, [{ topic: "payment.succeeded", message, requestID: "request-1" }]);
	});

	it("that is declined has failed for good", () =>
		assert.deepEqual(
			[after("ordered", "requested", "declined"), after("ordered", "requested", "declined", "cancelled", "approved")].map(one => [
				one.state,
				one.topics
			]),
			[
				["failed", ["payment.failed"]],
				["failed", ["payment.failed"]]
			]
		));

	it("is not charged once its order is cancelled, whichever event comes first", () => {
		for (const order of [
			["ordered", "cancelled"],
			["cancelled", "ordered"]
		] as const) {
			const { state, topics, payment } = after(...order, "requested");
			assert.deepEqual([state, topics], ["cancelled", []]);
			assert.deepEqual(toResponse(payment!), { orderId: "o", amount: 5, status: "cancelled" });
		}
	});

	it("is refunded if its order is cancelled after the charge, or while the charge's result is unknown", () => {
		assert.equal(after("ordered", "requested", "approved", "cancelled", "refunded").state, "refunded");
		const late = after("ordered", "requested", "cancelled", "approved", "refunded");
		assert.deepEqual([late.state, late.topics], ["refunded", ["payment.succeeded"]]);
		assert.equal(after("ordered", "requested", "cancelled", "declined").state, "failed");
	});

	it("counts events that change nothing", () =>
		assert.equal(after("ordered", "ordered", "requested", "requested", "approved", "approved", "declined").duplicates, 4));

	it("has no response while its amount is unknown", () => assert.equal(toResponse(after("cancelled").payment!), undefined));

	it("is refunded only if it was charged, and published at most once, for any events in any order", () => {
		const events = fc.array(fc.constantFrom<EventType>("ordered", "cancelled", "requested", "approved", "declined", "refunded"));
		fc.assert(
			fc.property(events, types => {
				const { state, topics } = after(...types);
				assert.ok(topics.length <= 1, topics.join());
				const charged = topics[0] === "payment.succeeded";
				assert.equal(charged, ["succeeded", "refunding", "refunded"].includes(state ?? ""));
				const isCancelled = types.includes("cancelled");
				if (isCancelled) assert.ok(!["pending", "charging", "succeeded"].includes(state!), state);
			})
		);
	});

	it("is the same whether its events come in one batch or one by one", () => {
		const events = fc.array(fc.constantFrom<EventType>("ordered", "cancelled", "requested", "approved", "declined", "refunded"));
		fc.assert(
			fc.property(events, types => {
				let payments: StoredPayment[] = [];
				const topics: string[] = [];
				for (const one of types) {
					const outcome = applyEvents(payments, [event(one)]);
					if (outcome.changed.length > 0) payments = outcome.changed;
					topics.push(...outcome.messages.map(({ topic }) => topic));
				}
				const together = after(...types);
				assert.deepEqual([payments[0]?.state, topics], [together.state, together.topics]);
			})
		);
	});
});
