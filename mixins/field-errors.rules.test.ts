import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { invalid } from "./errors.ts";
import { checkFields } from "./field-errors.ts";

const messagesOf = (schema: z.ZodType, value: unknown) =>
	(checkFields(schema, value).fieldErrors ?? []).map(({ field, message }) => `${field}: ${message}`);
const messageOf = (schema: z.ZodType, value: unknown) => {
	const [only, ...others] = messagesOf(z.strictObject({ field: schema }), { field: value });
	assert.deepEqual(others, []);
	return only?.replace("field: ", "");
};

describe("the message for a field", () => {
	for (const [schema, value, message] of [
		[z.string(), 1, "must be text"],
		[z.string(), null, "must be text"],
		[z.string(), undefined, "is required"],
		[z.string().min(1), "", "must not be empty"],
		[z.string().min(2), "", "must be at least 2 characters long"],
		[z.string().max(1), "ab", "must be at most 1 character long"],
		[z.number(), "1", "must be a number"],
		[z.number(), Number.POSITIVE_INFINITY, "is too large"],
		[z.number(), Number.NEGATIVE_INFINITY, "is too small"],
		[z.number(), Number.NaN, "must be a number"],
		[z.number().positive(), 0, "must be greater than 0"],
		[z.number().nonnegative(), -1, "must not be negative"],
		[z.number().max(10), 1e308, "must be at most 10"],
		[z.number().lt(10), 10, "must be less than 10"],
		[z.int(), 1.5, "must be a whole number"],
		[z.int().max(10), 11, "must be at most 10"],
		[z.int().min(1), 0, "must be at least 1"],
		[z.int().max(10), 1e308, "is too large"],
		[z.int().min(1), -1e308, "is too small"],
		[z.int(), Number.POSITIVE_INFINITY, "is too large"],
		[z.coerce.number().int(), "abc", "must be a number"],
		[z.boolean(), "yes", "must be true or false"],
		[z.array(z.int()).min(2), [], "must have at least 2 items"],
		[z.array(z.int()).max(1), [1, 2], "must have at most 1 item"],
		[z.array(z.int()), {}, "must be a list"],
		[z.strictObject({}), [], "must be an object"],
		[z.record(z.string(), z.string()), "a", "must be an object"],
		[z.enum(["a", "b"]), "c", "must be one of a, b"],
		[z.enum(["a", "b"]), undefined, "is required"],
		[z.literal("a"), "b", "must be a"],
		[z.iso.datetime(), "yesterday", "must be a date and time in ISO 8601, such as 2026-01-31T12:00:00Z"],
		[z.string().regex(/^a$/), "b", "has the wrong format"],
		[z.number().multipleOf(5), 3, "must be a multiple of 5"],
		[z.union([z.string(), z.int()]), null, "is not valid"],
		[z.string("must be a name").max(1, "must be short"), "ab", "must be short"],
		[z.string().refine(() => false), "a", "is not valid"]
	] as [z.ZodType, unknown, string][])
		it(`${JSON.stringify(value) ?? value}: ${message}`, () => assert.equal(messageOf(schema, value), message));
});

describe("field errors", () => {
	const fields = (count: number, value: unknown = 1) =>
		Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, value]));

	it("name a field once, with the first of its errors", () => {
		const Amount = z
			.number()
			.max(5)
			.multipleOf(2)
			.refine(() => false, "never");
		assert.deepEqual(messagesOf(z.strictObject({ a: Amount }), { a: 7 }), ["a: must be at most 5"]);
	});

	it("name unknown fields, and a name that is not allowed by its place", () => {
		assert.deepEqual(messagesOf(z.strictObject({ a: z.strictObject({}) }), { a: { b: 1, "": 2 }, c: 3 }), [
			"a.b: is not known here",
			'a."": is not known here',
			"c: is not known here"
		]);
		assert.deepEqual(messagesOf(z.strictObject({ a: z.record(z.string().min(1), z.string()) }), { a: { "": "x" } }), [
			'a."": has a name that is not allowed: it must not be empty'
		]);
		assert.deepEqual(messagesOf(z.strictObject({}), JSON.parse('{"__proto__":1}')), ["__proto__: is not known here"]);
	});

	it("cut long names, and leave no half of a pair", () => {
		const { fieldErrors } = checkFields(z.strictObject({}), {
			["x".repeat(65)]: 1,
			["😀".repeat(40)]: 1,
			[`y${"😀".repeat(40)}`]: 1
		});
		assert.deepEqual(
			fieldErrors?.map(({ field }) => field),
			[`${"x".repeat(64)}…`, `${"😀".repeat(32)}…`, `y${"😀".repeat(31)}\ufffd…`]
		);
	});

	it("are at most ten in an answer, which says that there are more", () => {
		for (const [schema, value] of [
			[z.strictObject({}), fields(6_500)],
			[z.record(z.string(), z.string()), fields(6_500)],
			[z.array(z.string()), new Array(6_500).fill(1)],
			[z.record(z.string().max(1), z.int()), fields(6_500)]
		] as const) {
			const { fieldErrors } = checkFields(schema as z.ZodType, value);
			const { data, message } = invalid(fieldErrors!);
			assert.equal((data as unknown[]).length, 10);
			assert.match(message, /; and more$/);
			assert.ok(JSON.stringify(data).length + message.length < 4_000);
		}
	});

	it("are all there when they are ten", () => {
		const { data, message } = invalid(checkFields(z.strictObject({}), fields(10)).fieldErrors!);
		assert.equal((data as unknown[]).length, 10);
		assert.ok(message.endsWith("f9: is not known here"), message);
	});

	it("write only the messages that are answered", () => {
		let written = 0;
		const Counted = z.string({
			error: () => {
				written++;
				return "counted";
			}
		});
		checkFields(z.array(Counted), new Array(6_500).fill(1));
		assert.ok(written <= 11, `${written} messages`);
	});
});
