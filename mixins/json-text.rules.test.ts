import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exceededLimit, JSON_LIMITS, readJson, textErrors } from "./json-text.ts";

const nested = (depth: number, [open, close] = ["[", "]"]) => open.repeat(depth) + close.repeat(depth);
const isDeeperThan = (text: string, maxDepth = JSON_LIMITS.maxDepth) =>
	exceededLimit(text, { maxDepth, maxValues: Number.POSITIVE_INFINITY }) === "maxDepth";
/** The number of values: the smallest limit that the text does not exceed. */
const valuesIn = (text: string) => {
	let maxValues = 1;
	while (exceededLimit(text, { maxDepth: 1_000, maxValues })) maxValues++;
	return maxValues;
};
const valuesOf = (value: unknown): number =>
	1 +
	(typeof value === "object" && value !== null ? Object.values(value).reduce((sum: number, one) => sum + valuesOf(one), 0) : 0);

describe("the depth of JSON", () => {
	it("counts arrays and objects", () => {
		for (const brackets of [
			["[", "]"],
			['{"a":', "}"],
			['[{"a":', "}]"]
		] as [string, string][]) {
			const levels = 32 / (brackets[1].length as number);
			assert.equal(isDeeperThan(nested(levels, brackets)), false, brackets[0]);
			assert.equal(isDeeperThan(nested(levels + 1, brackets)), true, brackets[0]);
		}
	});

	it("is measured without recursion, at a hundred thousand levels too", () =>
		assert.equal(isDeeperThan("[".repeat(100_000)), true));

	it("does not count siblings", () => assert.equal(isDeeperThan(`[${"[{}],".repeat(1_000)}0]`, 3), false));

	it("ignores brackets in strings, also after escapes", () => {
		for (const text of ["[".repeat(100), '"[', "\\", '\\"', '\\\\"[[[[', "\u2028[[", "\u005b\u0022[["])
			assert.equal(isDeeperThan(JSON.stringify({ text }), 1), false, text);
		assert.equal(isDeeperThan('{"a":"\\\\","b":[[]]}', 2), true);
	});

	it("is the same for UTF-8 bytes decoded as Latin-1", () => {
		const text = JSON.stringify({ "ключ [": ["😀[", { é: "„{“" }] });
		assert.equal(isDeeperThan(Buffer.from(text).toString("latin1"), 3), false);
		assert.equal(isDeeperThan(Buffer.from(text).toString("latin1"), 2), true);
	});
});

describe("the number of values in JSON", () => {
	it("counts every value once, with empty lists and objects, and no names", () => {
		for (const value of [
			1,
			null,
			"a,b[{",
			[],
			{},
			[[]],
			[{}, []],
			[1, 2, 3],
			{ a: 1, "b,c": [1, { d: [] }, "},"], e: {} },
			[[[[1]]], [2, [3]]]
		]) {
			assert.equal(valuesIn(JSON.stringify(value)), valuesOf(value), JSON.stringify(value));
			assert.equal(valuesIn(JSON.stringify(value, null, "\t")), valuesOf(value), `${JSON.stringify(value)} with whitespace`);
		}
	});

	it("may be 2,000, and not 2,001", () => {
		const list = (values: number) => `[${new Array(values - 1).fill(0).join()}]`;
		const fields = (values: number) => JSON.stringify(Object.fromEntries(Array.from({ length: values - 1 }, (_, n) => [n, n])));
		for (const make of [list, fields]) {
			assert.equal(readJson(make(2_000)).unreadable, undefined);
			assert.equal(readJson(make(2_001)).unreadable, "has more than 2000 values");
		}
	});
});

describe("reading JSON", () => {
	it("answers the value, or why it is unreadable", () => {
		assert.deepEqual(readJson(' {"a":[1]}\n'), { value: { a: [1] } });
		for (const [text, why] of [
			["", "is not JSON"],
			["{", "is not JSON"],
			["NaN", "is not JSON"],
			['\ufeff{"a":1}', "starts with a byte order mark: leave it out"],
			[nested(33), "nests deeper than 32 levels"]
		] as const)
			assert.deepEqual(readJson(text), { unreadable: why });
	});

	const errorsOf = (text: string) => textErrors(text, JSON.parse(text)).map(({ field, message }) => `${field}: ${message}`);

	it("finds lone surrogates in texts and in names, at every depth", () => {
		assert.deepEqual(errorsOf(String.raw`{"a":"\ud800","b":[1,{"c":"x\uDFFFy"}],"d\udc00":1,"e":"\ude00\ud83d"}`), [
			"a: must be well-formed Unicode",
			"b.1.c: must be well-formed Unicode",
			"d\udc00: must have a name in well-formed Unicode",
			"e: must be well-formed Unicode"
		]);
		assert.deepEqual(errorsOf(String.raw`"\ud800"`), [": must be well-formed Unicode"]);
	});

	it("takes pairs, other escapes, and escaped backslashes before a u", () =>
		assert.deepEqual(errorsOf(String.raw`{"a":"\ud83d\ude00 \u0041","\u00e4":"\\ud800"}`), []));

	it("finds __proto__ inside of fields, also where it is escaped, and not as a text", () => {
		assert.deepEqual(errorsOf('{"address":{"__proto__":"x","street":"y"}}'), ["address.__proto__: is not an allowed name"]);
		assert.deepEqual(errorsOf(String.raw`{"a":[{"\u005f_proto__":{}}]}`), ["a.0.__proto__: is not an allowed name"]);
		assert.deepEqual(errorsOf('{"__proto__":1,"a":"__proto__"}'), []);
	});

	it("stops after ten errors and one more, at a hundred thousand levels too", () => {
		assert.equal(errorsOf(`[${new Array(1_000).fill(String.raw`"\ud800"`).join()}]`).length, 11);
		const deep = `${"[".repeat(100_000)}"\\ud800"${"]".repeat(100_000)}`;
		assert.deepEqual(textErrors(deep, JSON.parse(deep)), [
			{ field: `${"0.".repeat(32)}…`, message: "must be well-formed Unicode" }
		]);
	});
});
