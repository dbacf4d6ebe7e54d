// The port to a payment provider, and the only provider so far.

export type Verdict = "approved" | "declined";

/**
 * Moves the money of an order at most once each way: a repeated request with the same order id gets the first verdict. It may answer late, twice, or not
 * at all. After an error it is unknown whether the money has moved, and the request is repeated.
 */
export interface PaymentProvider {
	/** For log lines. */
	name: string;
	charge(orderId: string, amountCents: number): Promise<Verdict>;
	/** Refunds the charge of the order; resolves once it is refunded, now or earlier. */
	refund(orderId: string, amountCents: number): Promise<void>;
}

/** Moves no money: it approves every charge up to a limit and declines those above. */
export const testProvider = (limitCents: number): PaymentProvider => ({
	name: "test",
	charge: async (_orderId, amountCents) => (amountCents > limitCents ? "declined" : "approved"),
	refund: async () => {}
});
