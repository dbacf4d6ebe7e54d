import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { costOf, dropBytes, isAcceptable, type Packet } from "./packets.ts";

const list = (values: number) => `[${new Array(values - 1).fill(0).join()}]`;

describe("a packet of a Socket.IO client", () => {
	it("is text within the limits of JSON, or bytes", () => {
		for (const data of [
			undefined,
			Buffer.from("a"),
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
			for (const isPolling of [true, false]) assert.ok(isAcceptable({ data }, isPolling), String(data));
	});

	it("is refused with too many or too deep values, and text that is not as it was sent", () => {
		for (const data of [
			`2${list(2_001)}`,
			`2${"[".repeat(33)}`,
			String.raw`2["subscribe:seats",{"showId":"\ud800"}]`,
			String.raw`0{"\udfff":1}`,
			String.raw`2["a",{"b":{"\u005f_proto__":1}}]`,
			'2["a",{"__proto__":1}]'
		])
			for (const isPolling of [true, false]) assert.ok(!isAcceptable({ data }, isPolling), String(data));
	});

	it("is refused with U+FFFD only by polling, where it may stand for what is not UTF-8", () => {
		assert.deepEqual(
			[true, false].map(isPolling => isAcceptable({ data: '2["a\ufffd"]' }, isPolling)),
			[false, true]
		);
	});

	it("loses its bytes, and only those", () => {
		const bytes: Packet = { data: Buffer.alloc(65_536) };
		const words: Packet = { data: "2[]" };
		for (const packet of [bytes, words]) dropBytes(packet);
		assert.deepEqual([bytes.data, words.data], [Buffer.alloc(0), "2[]"]);
	});

	it("counts as a frame for each started KiB, of text in UTF-8", () => {
		for (const [data, frames] of [
			[undefined, 1],
			[Buffer.alloc(1024), 1],
			[Buffer.alloc(1025), 2],
			["x".repeat(1024), 1],
			["x".repeat(1025), 2],
			["é".repeat(1024), 2],
			["€".repeat(1024), 3]
		] as const)
			assert.equal(costOf({ data }), frames);
	});
});
