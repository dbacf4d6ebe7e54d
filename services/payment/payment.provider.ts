// The port to whoever moves the money, and the one provider there is.

export type Verdict = "approved" | "declined";

/**
 * A provider moves an order's money at most once each way: who asks again with the same order id is told what became of the first time. It may
 * answer late, twice, or not at all; a rejection says nothing about whether the money has moved, and is asked about again.
 */
export interface PaymentProvider {
	/** As it is called in the log. */
	name: string;
	charge(orderId: string, amountCents: number): Promise<Verdict>;
	/** Gives back what was charged for the order; resolves once it is given back, now or before. */
	refund(orderId: string, amountCents: number): Promise<void>;
}

/** Moves no money: it approves every charge up to a limit, and declines those above. */
export const testProvider = (limitCents: number): PaymentProvider => ({
	name: "test",
	charge: async (_orderId, amountCents) => (amountCents > limitCents ? "declined" : "approved"),
	refund: async () => {}
});
