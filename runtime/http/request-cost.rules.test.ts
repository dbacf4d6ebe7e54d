import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { announcedCost, unannouncedCost } from "./request-cost.ts";

const request = (length?: number) => ({ headers: length === undefined ? {} : { "content-length": String(length) } });

describe("a request", () => {
	it("counts as one for each started KiB that it announces", () => {
		for (const [bytes, requests] of [
			[undefined, 1],
			[0, 1],
			[1, 1],
			[1024, 1],
			[1025, 2],
			[65_536, 64]
		] as const)
			assert.equal(announcedCost(request(bytes)), requests, `${bytes} bytes`);
	});

	it("counts as much as the largest body that is read, if it announces more", () =>
		assert.equal(announcedCost(request(10_000_000)), 64));

	it("counts the rest when a body turns out to be larger", () => {
		for (const [announced, read, further] of [
			[undefined, 0, 0],
			[undefined, 1024, 0],
			[undefined, 65_536, 63],
			[100, 65_536, 63],
			[2048, 2048, 0]
		] as const)
			assert.equal(unannouncedCost(request(announced), read), further, `${announced} announced, ${read} read`);
	});
});
