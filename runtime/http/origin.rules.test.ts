import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAllowedOrigin } from "./origin.ts";

const from = (origin: string | undefined, allowed: string[] = [], isSecure = false) =>
	isAllowedOrigin({ headers: { origin, host: "plaza.example:8080" } }, allowed, isSecure);

describe("origins", () => {
	it("lets in who sends none: command lines and servers", () => assert.equal(from(undefined), true));
	it("lets in its own page", () => assert.equal(from("http://plaza.example:8080"), true));
	it("takes its own page for its own by the protocol that it came by", () => {
		assert.equal(from("https://plaza.example:8080", [], true), true);
		assert.equal(from("http://plaza.example:8080", [], true), false);
	});
	it("lets in what is listed", () => assert.equal(from("https://shop.example", ["https://shop.example"]), true));

	for (const origin of [
		"http://evil.example",
		"http://plaza.example",
		"https://plaza.example:8080",
		"http://plaza.example:8080.evil.example",
		"null",
		"",
		"https://shop.example.evil.example"
	])
		it(`refuses ${JSON.stringify(origin)}`, () => assert.equal(from(origin, ["https://shop.example"]), false));
});
