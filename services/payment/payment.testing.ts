// A bank for tests: it moves money as providers promise to, at most once each way for an order, and answers as badly as a test wants.
import type { PaymentProvider, Verdict } from "./payment.provider.ts";

export function bank({ limitCents = 10_000_000 } = {}) {
	/** What was moved, by order. */
	const charges = new Map<string, number>();
	const refunds = new Map<string, number>();
	const verdicts = new Map<string, Verdict>();
	/** Everything it was asked. */
	const asked: { ask: "charge" | "refund"; orderId: string; amountCents: number }[] = [];

	const bank = {
		charges,
		refunds,
		asked,
		/** What may happen before it does something, and before it answers. */
		before: async (_ask: "charge" | "refund", _orderId: string) => {},
		after: async (_ask: "charge" | "refund", _orderId: string) => {},

		provider: {
			name: "bank",
			async charge(orderId, amountCents) {
				asked.push({ ask: "charge", orderId, amountCents });
				await bank.before("charge", orderId);
				const verdict = verdicts.get(orderId) ?? (amountCents > limitCents ? "declined" : "approved");
				if (!verdicts.has(orderId) && verdict === "approved") charges.set(orderId, amountCents);
				verdicts.set(orderId, verdict);
				await bank.after("charge", orderId);
				return verdict;
			},
			async refund(orderId, amountCents) {
				asked.push({ ask: "refund", orderId, amountCents });
				await bank.before("refund", orderId);
				if (!charges.has(orderId)) throw new Error("nothing was charged");
				refunds.set(orderId, amountCents);
				await bank.after("refund", orderId);
			}
		} satisfies PaymentProvider
	};
	return bank;
}
