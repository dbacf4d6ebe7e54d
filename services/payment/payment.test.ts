import assert from "node:assert/strict";
import { it } from "node:test";
import { scratchEmbedded } from "../../test/scratch.ts";
import { testProvider } from "./payment.provider.ts";
import { paymentSuite } from "./payment.suite.ts";

paymentSuite("the embedded Postgres", scratchEmbedded);

it("the test provider approves up to its limit and declines what is above", async () => {
	const { name, charge } = testProvider(10_000_000);
	assert.equal(name, "test");
	assert.deepEqual([await charge("a", 10_000_000), await charge("b", 10_000_001)], ["approved", "declined"]);
});
