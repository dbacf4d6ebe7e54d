// A payment provider for tests. It moves the money of an order at most once each way, as providers promise, and answers as badly as a test wants.
import type { PaymentProvider, Verdict } from "./payment.provider.ts";

export function fakeProvider({ limitCents = 10_000_000 } = {}) {
	/** The amounts that were charged and refunded, by order. */
	const charges = new Map<string, number>();
	const refunds = new Map<string, number>();
	const verdicts = new Map<string, Verdict>();
	/** Every request that it got. */
	const requests: { kind: "charge" | "refund"; orderId: string; amountCents: number }[] = [];

	const fake = {
		charges,
		refunds,
		requests,
		/** Called before it moves money, and before it answers: a test can delay or fail here. */
		before: async (_kind: "charge" | "refund", _orderId: string) => {},
		after: async (_kind: "charge" | "refund", _orderId: string) => {},

		port: {
			name: "fake",
			async charge(orderId, amountCents) {
				requests.push({ kind: "charge", orderId, amountCents });
				await fake.before("charge", orderId);
				const verdict = verdicts.get(orderId) ?? (amountCents > limitCents ? "declined" : "approved");
				if (!verdicts.has(orderId) && verdict === "approved") charges.set(orderId, amountCents);
				verdicts.set(orderId, verdict);
				await fake.after("charge", orderId);
				return verdict;
			},
			async refund(orderId, amountCents) {
				requests.push({ kind: "refund", orderId, amountCents });
				await fake.before("refund", orderId);
				if (!charges.has(orderId)) throw new Error("nothing was charged");
				refunds.set(orderId, amountCents);
				await fake.after("refund", orderId);
			}
		} satisfies PaymentProvider
	};
	return fake;
}
