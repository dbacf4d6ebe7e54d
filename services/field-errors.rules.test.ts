// What clients read about their invalid input: every action's own schema, with odd values in every field.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import type { ActionContract } from "../contract/action.ts";
import { checkFields } from "../mixins/field-errors.ts";
import { actions } from "./contract.ts";

const ODD_VALUES = [
	undefined,
	null,
	true,
	"",
	" ",
	"\u3164",
	"x".repeat(6_000),
	"\u0000",
	"\ud800",
	0,
	-1,
	1.5,
	0.001,
	1_000_000_001,
	1e308,
	-1e308,
	Number.POSITIVE_INFINITY,
	Number.NEGATIVE_INFINITY,
	[],
	[1, "", null, {}],
	new Array(600).fill("x"),
	{},
	{ "": "x" },
	{ ["x".repeat(100)]: "x" },
	{ a: "", b: 1 },
	Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`a${n}`, "x"]))
];

const contracts = Object.entries(actions as Record<string, ActionContract>);
const messagesOf = (action: keyof typeof actions, change: object) => {
	const { params, example } = actions[action] as unknown as ActionContract;
	const { fieldErrors = [] } = checkFields(params, { ...(example?.params as object), ...change });
	return fieldErrors.map(({ field, message }) => `${field}: ${message}`);
};

describe("the error of an invalid field", () => {
	it("is a sentence about the field in every action, and each field has one error", () => {
		for (const [name, { params, example }] of contracts) {
			const fields = params instanceof z.ZodObject ? Object.keys(params.shape) : [];
			for (const field of [...fields, "unknown"])
				for (const value of ODD_VALUES) {
					const { fieldErrors = [] } = checkFields(params, { ...(example?.params as object), [field]: value });
					const about = `${name} ${field} ${String(JSON.stringify(value)).slice(0, 40)}: ${JSON.stringify(fieldErrors)}`;
					assert.equal(new Set(fieldErrors.map(error => error.field)).size, fieldErrors.length, about);
					for (const { message } of fieldErrors) {
						assert.match(message, /^(is|must|has|give) /, about);
						assert.doesNotMatch(message, /invalid|expected|received|record|undefined|null|NaN|string|object,/i, about);
					}
				}
		}
	});

	it("says which bound a number exceeds", () => {
		const number = (json: string) => JSON.parse(json) as number;
		for (const [action, field, json, message] of [
			["inventory.set", "stock", "1000000001", "must be at most 1000000000"],
			["inventory.set", "stock", "-1", "must not be negative"],
			["inventory.set", "stock", "1.5", "must be a whole number"],
			["inventory.set", "stock", "1e308", "is too large"],
			["inventory.set", "stock", "1E400", "is too large"],
			["products.create", "price", "1E400", "is too large"],
			["products.create", "price", "1e308", "must be at most 1000000.00"],
			["products.create", "price", "0", "must be greater than 0"],
			["products.create", "price", "1.005", "must have at most 2 decimals"],
			["products.create", "stock", "1000000001", "must be at most 1000000000"],
			["purchase.create", "amount", "-1e400", "is too small"],
			["orders.list", "limit", "1e400", "is too large"],
			["orders.list", "limit", "201", "must be at most 200"]
		] as const)
			assert.deepEqual(messagesOf(action, { [field]: number(json) }), [`${field}: ${message}`], `${action} ${json}`);
		assert.deepEqual(messagesOf("orders.list", { limit: "many" }), ["limit: must be a number"]);
	});

	it("says what is wrong with an address", () => {
		for (const [shippingAddress, message] of [
			[{ "": "x" }, 'shippingAddress."": has a name that is not allowed: it must not be empty'],
			[{ street: "a\0" }, "shippingAddress.street: must be well-formed Unicode without U+0000"],
			[{ street: 1 }, "shippingAddress.street: must be text"],
			[{}, "shippingAddress: must have at least one line"],
			[[], "shippingAddress: must be an object"]
		] as const)
			assert.deepEqual(messagesOf("orders.create", { shippingAddress }), [message]);
		assert.deepEqual(messagesOf("orders.create", { shippingAddress: { street: " ", " ": "\u3164" } }), []);
	});

	it("reports names without a visible character, and invisible characters in e-mail addresses", () => {
		for (const invisible of ["\u200b\u200b", "\u3164", "\u2060\u00ad"]) {
			assert.deepEqual(messagesOf("users.register", { name: invisible }), ["name: must contain a visible character"]);
			for (const field of ["name", "description", "category"])
				assert.deepEqual(messagesOf("products.create", { [field]: invisible }), [`${field}: must contain a visible character`]);
			for (const email of [`ann${invisible}@example.org`, `ann@exam${invisible}ple.org`])
				assert.deepEqual(messagesOf("users.register", { email }), ["email: must not contain invisible characters"], email);
		}
	});
});
