import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAllowedOrigin, reboundOrigins } from "./origin.ts";

const from = (origin: string | undefined, allowed: string[] = [], isSecure = false) =>
	isAllowedOrigin({ headers: { origin, host: "plaza.example:8080" } }, allowed, isSecure);

describe("origins", () => {
	it("allows requests without an Origin header: command lines and servers", () => assert.equal(from(undefined), true));
	it("allows its own origin", () => assert.equal(from("http://plaza.example:8080"), true));
	it("compares its own origin with the protocol that the client used", () => {
		assert.equal(from("https://plaza.example:8080", [], true), true);
		assert.equal(from("http://plaza.example:8080", [], true), false);
	});
	it("allows listed origins", () => assert.equal(from("https://shop.example", ["https://shop.example"]), true));

	for (const origin of [
		"http://evil.example",
		"http://plaza.example",
		"https://plaza.example:8080",
		"http://plaza.example:8080.evil.example",
		"null",
		"",
		"https://shop.example.evil.example"
	])
		it(`rejects ${JSON.stringify(origin)}`, () => assert.equal(from(origin, ["https://shop.example"]), false));
});

describe("DNS rebinding", () => {
	const isRebound = (origin: string | undefined, host = "127.0.0.1", trustedProxies: string[] = []) =>
		reboundOrigins({ host, trustedProxies, allowedOrigins: ["http://plaza.test:8080"] })(origin);

	it("is possible for every origin with a host name, where the server listens on loopback", () => {
		for (const host of ["127.0.0.1", "localhost", "::1"])
			for (const origin of [
				"http://evil.example:8080",
				"http://localhost.evil.example",
				"http://127.0.0.1.evil.example:8080",
				"null",
				""
			])
				assert.equal(isRebound(origin, host), true, `${origin} ${host}`);
	});

	it("is not possible without an origin, with an address or a local name, and for listed origins", () => {
		for (const origin of [
			undefined,
			...[
				"http://localhost:8080",
				"http://127.0.0.1:8080",
				"http://[::1]:8080",
				"http://shop.localhost",
				"http://192.0.2.1:8080"
			],
			"http://plaza.test:8080"
		])
			assert.equal(isRebound(origin), false, origin);
	});

	it("is not checked where the server has a host name of its own", () => {
		assert.equal(isRebound("http://plaza.example", "0.0.0.0"), false);
		assert.equal(isRebound("http://127.example.org", "127.example.org"), false);
		assert.equal(isRebound("http://plaza.example", "127.0.0.1", ["127.0.0.1"]), false);
	});
});
