// Money is decimal in the API and integer cents everywhere else, so that sums are exact.
import { z } from "zod";

/** The highest amount of one purchase, and the highest price of a product. */
export const MAX_AMOUNT_CENTS = 100_000_000;

/** Integer cents of a decimal amount: exact for amounts with at most 2 decimals below 2^53 / 100. */
export const toCents = (amount: number) => Math.round(amount * 100);

/** The decimal amount of integer cents: the nearest double, exact to 2 decimals up to 2^53 / 100. */
export const fromCents = (cents: number) => cents / 100;

const decimals = (amount: number) => fromCents(toCents(amount)) === amount;

/** Greater than 0, at most 2 decimals, at most 1,000,000.00. */
export const Amount = z
	.number()
	.positive()
	.max(fromCents(MAX_AMOUNT_CENTS), "must be at most 1000000.00")
	.refine(decimals, "must have at most 2 decimals")
	.meta({ id: "Amount", description: "Money: more than 0, at most 2 decimals", multipleOf: 0.01 });

/** At least 0, at most 2 decimals, at most 1,000,000.00: what may be free. */
export const Price = z
	.number()
	.nonnegative()
	.max(fromCents(MAX_AMOUNT_CENTS), "must be at most 1000000.00")
	.refine(decimals, "must have at most 2 decimals")
	.meta({ id: "Price", description: "Money: at least 0, at most 2 decimals", multipleOf: 0.01 });

/** A sum of amounts; it may exceed the maximum of one amount. */
export const Total = z
	.number()
	.nonnegative()
	.refine(decimals, "must have at most 2 decimals")
	.meta({ id: "Total", description: "A sum of money, with at most 2 decimals", multipleOf: 0.01 });
