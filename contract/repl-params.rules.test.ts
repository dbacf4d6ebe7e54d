import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { Id } from "./id.ts";
import { Amount } from "./money.ts";
import { fromRepl, paramNames } from "./repl-params.ts";

const schema = z.strictObject({
	user_id: Id,
	amount: Amount.optional(),
	stock: z.int().optional(),
	address: z.record(z.string(), z.string()).optional(),
	items: z.array(z.strictObject({ id: Id, quantity: z.int() })).optional()
});

describe("params from the REPL", () => {
	for (const [name, given, expected] of [
		["a number where the contract wants text", { user_id: 123 }, { user_id: "123" }],
		[
			"text where the contract wants a number",
			{ user_id: "a", amount: "1.50", stock: "1e3" },
			{ user_id: "a", amount: 1.5, stock: 1000 }
		],
		[
			"nested fields",
			{ user_id: "a", address: { zip: 123, street: "x" } },
			{ user_id: "a", address: { zip: "123", street: "x" } }
		],
		["fields of lists", { user_id: 1, items: [{ id: 7, quantity: "2" }] }, { user_id: "1", items: [{ id: "7", quantity: 2 }] }]
	] as const)
		it(`are converted: ${name}`, () => {
			const before = structuredClone(given);
			assert.deepEqual(fromRepl(given, schema), expected);
			assert.deepEqual(given, before, "the given params were changed");
		});

	for (const [name, given] of [
		["numbers in text", { user_id: "1e3", amount: 1.5 }],
		["a flag without a value", { user_id: true }],
		["text that is no number", { user_id: "a", amount: "many", stock: "" }],
		["an unknown field", { user_id: "a", more: 1 }],
		["nothing", undefined],
		["a number instead of an object", 7],
		["an invalid number", { user_id: "a", amount: -1 }]
	] as const)
		it(`are left as they are: ${name}`, () => assert.deepEqual(fromRepl(given, schema), given));
});

it("paramNames lists the fields of an action's params", () =>
	assert.deepEqual(Object.keys(paramNames(schema)), ["user_id", "amount", "stock", "address", "items"]));
