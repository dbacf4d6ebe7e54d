import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeeperThan } from "./json-depth.ts";

const nested = (depth: number, [open, close] = ["[", "]"]) => open.repeat(depth) + close.repeat(depth);

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
