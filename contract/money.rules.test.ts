import assert from "node:assert/strict";
import { it } from "node:test";
import { Amount, Price } from "./money.ts";

it("a price is 0 to 1,000,000.00 with at most 2 decimals; an amount is the same without 0", () => {
	for (const price of [0, 0.01, 0.1, 49.99, 1_000_000]) assert.equal(Price.parse(price), price);
	for (const bad of [
		-0.01,
		0.001,
		1e-7,
		49.999,
		1_000_000.01,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		"1",
		"",
		null,
		undefined,
		[1]
	])
		assert.equal(Price.safeParse(bad).success, false, `${JSON.stringify(bad)} (${bad})`);
	assert.equal(Amount.safeParse(0).success, false);
	assert.equal(Amount.parse(0.01), 0.01);
});
