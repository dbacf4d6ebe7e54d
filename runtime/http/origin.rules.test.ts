import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAllowedOrigin } from "./origin.ts";

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
