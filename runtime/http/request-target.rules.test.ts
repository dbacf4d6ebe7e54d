import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { acceptTarget, isNormalPath, pathOf } from "./request-target.ts";

/** The code of the error of a target (undefined: accepted), and what the request looks like afterwards. */
function accept(url: string, method = "GET") {
	const req = { url, method, headers: { host: "sent.example" } } as IncomingMessage;
	const error = acceptTarget(req);
	return { code: error?.code, url: req.url, host: req.headers.host };
}

describe("a request target", () => {
	it("is taken as it is in origin-form", () => {
		for (const url of ["/", "/selections", "/a%20b?c=d%26e&f=/?", "/a?utm=%ff&b=%", "//host/path", "/a/../b", "/api/wallet/%00"])
			assert.deepEqual(accept(url), { code: undefined, url, host: "sent.example" });
	});

	it("becomes origin-form from absolute-form, whose host replaces the Host header", () => {
		for (const [target, url, host] of [
			["http://host/selections", "/selections", "host"],
			["HTTP://Host:8080/a?b=http://c/", "/a?b=http://c/", "Host:8080"],
			["https://[::1]:8080", "/", "[::1]:8080"],
			["http://host?q", "/?q", "host"]
		] as const)
			assert.deepEqual(accept(target), { code: undefined, url, host }, target);
	});

	it("may be * for OPTIONS only", () => {
		assert.equal(accept("*", "OPTIONS").code, undefined);
		assert.equal(accept("*", "GET").code, 400);
	});

	it("is rejected with 400 where decoders read different texts, or none", () => {
		for (const target of [
			...["/%", "/%zz", "/%e0%a4%a", "/..%c0%afpackage.json"],
			...["/\u00fc", "/a#b", "/a b", "/\u0000", "http://user@host/", "http:///path", "ftp://host/", "selections", ""]
		])
			assert.equal(accept(target).code, 400, JSON.stringify(target));
	});

	it("is rejected with 400 when its query has more than 100 fields", () => {
		for (const [fields, code] of [
			[100, undefined],
			[101, 400],
			[4_000, 400]
		])
			assert.equal(accept(`/a?${Array(fields).fill("b").join("&")}`).code, code, `${fields}`);
	});

	it("is rejected with 414 above 8 KiB", () => {
		assert.equal(accept(`/${"x".repeat(8 * 1024 - 1)}`).code, undefined);
		assert.equal(accept(`/${"x".repeat(8 * 1024)}`).code, 414);
	});
});

describe("a path", () => {
	it("ends before the query", () => {
		for (const [url, path] of [
			["/a/b?c/d?e", "/a/b"],
			["/a", "/a"],
			["/?", "/"]
		] as const)
			assert.equal(pathOf({ url }), path);
	});

	it("is normal without empty segments, dot segments and a slash at its end", () => {
		for (const path of ["/", "/a", "/a/b.c", "/.git/HEAD", "/a/..b", "/...", "/a%2f", "*"]) assert.ok(isNormalPath(path), path);
		for (const path of ["//", "/a/", "//a", "/a//b", "/.", "/..", "/./a", "/a/../b", "/a/.", "/a/.."])
			assert.ok(!isNormalPath(path), path);
	});
});
