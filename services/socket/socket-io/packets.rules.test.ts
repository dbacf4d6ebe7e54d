import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { costOf, isAcceptable } from "./packets.ts";

const list = (values: number) => `[${new Array(values - 1).fill(0).join()}]`;

describe("a packet of a Socket.IO client", () => {
	it("is text within the limits of JSON", () => {
		for (const data of [
			undefined,
			"",
			"probe",
			"0",
			'0{"token":"a"}',
			'2["subscribe:orders"]',
			'2/ns,12["a",{"b":[1,"é"]}]',
			String.raw`2["\ud83d\ude00"]`,
			`2${list(2_000)}`,
			`2${"[".repeat(32)}${"]".repeat(32)}`
		])
			assert.ok(isAcceptable({ data }), data);
	});

	it("is refused with bytes, too many or too deep values, and text that is not as it was sent", () => {
		for (const data of [
			Buffer.from("a"),
			`2${list(2_001)}`,
			`2${"[".repeat(33)}`,
			'2["a\ufffd"]',
			String.raw`2["subscribe:seats",{"showId":"\ud800"}]`,
			String.raw`0{"\udfff":1}`,
			String.raw`2["a",{"b":{"\u005f_proto__":1}}]`,
			'2["a",{"__proto__":1}]'
		])
			assert.ok(!isAcceptable({ data }), String(data));
	});

	it("counts as a frame for each started KiB in UTF-8", () => {
		for (const [data, frames] of [
			[undefined, 1],
			["x".repeat(1024), 1],
			["x".repeat(1025), 2],
			["é".repeat(1024), 2],
			["€".repeat(1024), 3]
		] as const)
			assert.equal(costOf({ data }), frames);
	});
});
