import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { applyEvents, type EventType, type PaymentEvent, type StoredPayment, toResponse } from "./payment.rules.ts";

const event = (happening: EventType): PaymentEvent =>
	happening === "ordered"
		? { orderId: "o", happening, buyerId: "ann", amountCents: 500, requestID: "request-1" }
		: { orderId: "o", happening };
/** What becomes of an order's payment, and what is told, event by event. */
const live = (...happenings: EventType[]) => {
	const { changed, told, duplicates } = applyEvents([], happenings.map(event));
	return { state: changed[0]?.state, told: told.map(({ topic }) => topic), duplicates, payment: changed[0] };
};

describe("a payment", () => {
	it("is charged, and told with its order's request", () => {
		assert.equal(live("ordered", "asked", "approved").state, "succeeded");
		const { told } = applyEvents([], [event("ordered"), event("asked"), event("approved")]);
		const message = { orderId: "o", buyerId: "ann", amount: 5 };
		assert.deepEqual(told, [{ topic: "payment.succeeded", message, requestID: "request-1" }]);
	});

	it("that is declined has failed, for good", () =>
		assert.deepEqual(
			[live("ordered", "asked", "declined"), live("ordered", "asked", "declined", "cancelled", "approved")].map(one => [
				one.state,
				one.told
			]),
			[
				["failed", ["payment.failed"]],
				["failed", ["payment.failed"]]
			]
		));

	it("is not charged once its order is cancelled, whichever is heard of first", () => {
		for (const order of [
			["ordered", "cancelled"],
			["cancelled", "ordered"]
		] as const) {
			const { state, told, payment } = live(...order, "asked");
			assert.deepEqual([state, told], ["cancelled", []]);
			assert.deepEqual(toResponse(payment!), { orderId: "o", amount: 5, status: "cancelled" });
		}
	});

	it("is given back when its order is cancelled after the charge, or while nobody knows what became of it", () => {
		assert.equal(live("ordered", "asked", "approved", "cancelled", "refunded").state, "refunded");
		const late = live("ordered", "asked", "cancelled", "approved", "refunded");
		assert.deepEqual([late.state, late.told], ["refunded", ["payment.succeeded"]]);
		assert.equal(live("ordered", "asked", "cancelled", "declined").state, "failed");
	});

	it("counts what changes nothing", () =>
		assert.equal(live("ordered", "ordered", "asked", "asked", "approved", "approved", "declined").duplicates, 4));

	it("shows nobody an amount that is not known", () => assert.equal(toResponse(live("cancelled").payment!), undefined));

	it("is given back only if it was charged, and told at most once, whatever happens in whatever order", () => {
		const anything = fc.array(fc.constantFrom<EventType>("ordered", "cancelled", "asked", "approved", "declined", "refunded"));
		fc.assert(
			fc.property(anything, happenings => {
				const { state, told } = live(...happenings);
				assert.ok(told.length <= 1, told.join());
				const charged = told[0] === "payment.succeeded";
				assert.equal(charged, ["succeeded", "refunding", "refunded"].includes(state ?? ""));
				const isCancelled = happenings.includes("cancelled");
				if (isCancelled) assert.ok(!["pending", "charging", "succeeded"].includes(state!), state);
			})
		);
	});

	it("is the same whether its events come together or one by one", () => {
		const anything = fc.array(fc.constantFrom<EventType>("ordered", "cancelled", "asked", "approved", "declined", "refunded"));
		fc.assert(
			fc.property(anything, happenings => {
				let payments: StoredPayment[] = [];
				const told: string[] = [];
				for (const one of happenings) {
					const outcome = applyEvents(payments, [event(one)]);
					if (outcome.changed.length > 0) payments = outcome.changed;
					told.push(...outcome.told.map(({ topic }) => topic));
				}
				const together = live(...happenings);
				assert.deepEqual([payments[0]?.state, told], [together.state, together.told]);
			})
		);
	});
});
