import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Page } from "../../contract/page.ts";
import { paramsOf, splitUrl } from "./params.ts";

const text = z.string().optional();
const result = z.strictObject({});
const fill = action({
	params: z.strictObject({ id: text, amount: text }),
	result,
	who: "anyone",
	rest: "POST /cart",
	restHeaders: { "idempotency-key": "id" }
});
const list = action({ params: Page, result, who: "anyone", rest: "GET /carts" });

type Request = Parameters<typeof paramsOf>[1];
const request = (url: string, headers: IncomingMessage["headers"], $params: object) =>
	({ url, headers, $params: { ...$params, query: splitUrl({ url }).query } }) as unknown as Request;
const post = (body: object, headers: IncomingMessage["headers"] = {}) =>
	paramsOf(fill, request("/cart", { "content-type": "application/json", "content-length": "2", ...headers }, { body }));
const get = (query: string) => paramsOf(list, request(`/carts${query}`, {}, {}));

describe("a header that stands for a field", () => {
	it("gives the field its value, and may repeat the body's", () => {
		assert.deepEqual(post({ amount: "1" }, { "idempotency-key": "a-1" }), { amount: "1", id: "a-1" });
		assert.deepEqual(post({ id: "a-1" }, { "idempotency-key": "a-1" }), { id: "a-1" });
		assert.deepEqual(post({ id: "a-1" }), { id: "a-1" });
		assert.equal(post({}, { "idempotency-key": "!".repeat(64) }).id, "!".repeat(64));
	});

	it("is rejected with 400 that names it where it differs from the body, or could be read as another value", () => {
		const rejected = (body: object, value: string) =>
			assert.throws(
				() => post(body, { "idempotency-key": value }),
				{ code: 400, type: "INVALID_HEADER", data: { header: "idempotency-key" }, message: /^idempotency-key: / },
				JSON.stringify(value)
			);
		for (const value of ["", "x".repeat(65), "a, b", "a,b", "a b", "a\tb", "\u00fc", "\u007f", "a\u0000"]) rejected({}, value);
		for (const id of ["b", "", null, 1, ["a"]]) rejected({ id }, "a");
	});
});

describe("a cookie", () => {
	const refresh = action({
		params: z.strictObject({ refreshToken: text }),
		result,
		who: "anyone",
		rest: "POST /refresh",
		restCookie: "refreshToken"
	});
	const read = (cookie: string) => paramsOf(refresh, request("/refresh", { cookie }, { body: {} }));

	it("gives the field its value, the first one if it is repeated; others are ignored", () => {
		assert.deepEqual(read("a=b; plaza_refresh=x.y; plaza_refresh=z"), { refreshToken: "x.y" });
		assert.deepEqual(read("plaza_refresh=%41"), { refreshToken: "A" });
		for (const none of ["xplaza_refresh=1", "a=plaza_refresh=1", "plaza_refresh=", "plaza_refresh", ";"])
			assert.deepEqual(read(none), {}, none);
	});

	it("is the only one that is decoded, however many there are", t => {
		const decode = t.mock.method(globalThis, "decodeURIComponent");
		const others = Array.from({ length: 1_000 }, (_, n) => `c${n}=%41`);
		assert.deepEqual(read([...others, "plaza_refresh=%42"].join("; ")), { refreshToken: "B" });
		assert.equal(decode.mock.callCount(), 1);
	});
});

describe("a query", () => {
	it("gives the fields that the action has; others are ignored", () => {
		assert.deepEqual(get("?limit=5&utm_source=x&utm_source=y&constructor=z&toString=1&after=a%2Bb+c"), {
			limit: "5",
			after: "a+b c"
		});
		assert.deepEqual(get(`?${"x=1&".repeat(1_500)}limit=5`), { limit: "5" });
		assert.deepEqual(get("?utm=%ff&a=%&%ff=1&limit=5"), { limit: "5" });
		// No nesting: these are other names.
		assert.deepEqual(get("?limit[]=5&limit[a]=5&after.b=1"), {});
	});

	it("is rejected with 422 where a field is repeated, named __proto__ or cannot be decoded", () => {
		for (const [query, field] of [
			["?limit=1&limit=2", "limit"],
			["?after=a&limit=1&after=a", "after"],
			["?__proto__=1", "__proto__"],
			["?%5F_proto__=1", "__proto__"],
			["?limit=1&after=%ff", "after"],
			["?a=%&%61fter=%zz", "after"]
		] as const)
			assert.throws(
				() => get(query),
				(error: { type: string; data: { field: string }[] }) =>
					error.type === "VALIDATION_ERROR" && error.data[0]?.field === field,
				query
			);
	});

	it("has a limit in decimal digits only", () => {
		assert.equal(Page.parse({ limit: "200" }).limit, 200);
		assert.equal(Page.parse({ limit: 7 }).limit, 7);
		assert.equal(Page.parse({}).limit, 50);
		for (const limit of ["", " ", "1e1", "0x10", " 5", "5.0", "+5", "-5", "0", "201", "Infinity", "五", null, true, ["5"]])
			assert.equal(Page.safeParse({ limit }).success, false, JSON.stringify(limit));
	});
});
