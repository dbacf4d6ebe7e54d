import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { jsonBody } from "./json-body.ts";

const parse = (body: Buffer | string | undefined, contentType = "application/json") =>
	jsonBody({
		headers: { "content-type": contentType },
		body: body === undefined ? body : Buffer.from(body)
	} as IncomingMessage & {
		body?: Buffer;
	});

describe("a JSON body", () => {
	it("is accepted in UTF-8, however the charset is written", () => {
		for (const parameters of [
			"",
			";",
			";charset=utf-8",
			"; charset=UTF-8",
			"; charset=utf8",
			'; charset="Utf-8"',
			'; profile="a;charset=utf-7"; charset=utf8',
			"; odata=verbose"
		])
			assert.deepEqual(parse('{"a":"a+b-c é"}', `application/json${parameters}`), { a: "a+b-c é" }, parameters);
	});

	it("is refused in every other charset", () => {
		for (const charset of [
			"utf-7",
			"utf-16",
			"utf-16le",
			"utf-32",
			"iso-8859-1",
			"us-ascii",
			"x",
			'"utf-7"',
			"'utf-8'",
			"utf--8"
		])
			assert.throws(() => parse('{"a":"a+b-c"}', `application/json; charset=${charset}`), {
				code: 415,
				type: "UNSUPPORTED_MEDIA_TYPE"
			});
	});

	it("is refused with a Content-Type of more than 256 characters: each parameter costs time", () => {
		const typeOf = (length: number) => "application/json; charset=utf-8".padEnd(length, ";");
		assert.deepEqual(parse("{}", typeOf(256)), {});
		for (const length of [257, 15_000])
			assert.throws(() => parse("{}", typeOf(length)), { code: 415, type: "UNSUPPORTED_MEDIA_TYPE" }, `${length}`);
	});

	it("is empty without bytes, and refused for each reason with its own message", () => {
		for (const empty of [undefined, ""]) assert.deepEqual(parse(empty), {});
		for (const [body, message] of [
			[Buffer.from([0x22, 0xff, 0x22]), "The body is not UTF-8"],
			// A surrogate in UTF-8's form, an overlong slash, and a character that is cut short.
			[Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "The body is not UTF-8"],
			[Buffer.from([0x22, 0xc0, 0xaf, 0x22]), "The body is not UTF-8"],
			[Buffer.from([0x22, 0xe2, 0x82, 0x22]), "The body is not UTF-8"],
			[Buffer.from('{"a":1}', "utf16le"), "The body is not JSON"],
			["\ufeff{}", "The body starts with a byte order mark: leave it out"],
			["{", "The body is not JSON"],
			["[".repeat(33), "The body nests deeper than 32 levels"],
			[`[${"0,".repeat(2_000)}0]`, "The body has more than 2000 values"]
		] as const)
			assert.throws(() => parse(body as string), { code: 400, type: "UNREADABLE_JSON", message });
	});

	it("may have more values where an action says so", () => {
		const body = (values: number) => ({
			headers: { "content-type": "application/json" },
			body: Buffer.from(`[${"0,".repeat(values - 2)}0]`)
		});
		const parseAll = (values: number, maxValues: number) => jsonBody(body(values) as never, maxValues) as number[];
		assert.equal(parseAll(3_000, 3_000).length, 2_999);
		assert.throws(() => parseAll(3_001, 3_000), { type: "UNREADABLE_JSON", message: "The body has more than 3000 values" });
	});

	it("is refused with the fields whose text or name would be changed", () => {
		assert.throws(() => parse(String.raw`{"a":{"b":"\ud800"}}`), {
			code: 422,
			data: [{ field: "a.b", message: "must be well-formed Unicode" }]
		});
		assert.throws(() => parse('{"a":{"__proto__":{}}}'), {
			code: 422,
			data: [{ field: "a.__proto__", message: "is not an allowed name" }]
		});
	});
});
