import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, shown, shownValue } from "./deadletters.rules.ts";

const letter = (more: object) => ({
	partition: 0,
	offset: 1,
	from: 7,
	group: "wallet",
	type: "ERROR",
	reason: "boom",
	at: "2026-01-31T12:00:00.000Z",
	key: "123",
	isAskedFor: true,
	value: "{}",
	bytes: 2,
	replays: 0,
	...more
});
const NO = { again: false, unreadable: false };

describe("a dead letter", () => {
	it("goes back once", () => {
		assert.equal(judge(letter({}), false, NO), "replay");
		assert.equal(judge(letter({}), true, { again: true, unreadable: true }), "replayed");
	});

	it("that died again goes back only when told to", () => {
		assert.equal(judge(letter({ replays: 1 }), false, NO), "again");
		assert.equal(judge(letter({ replays: 3 }), false, { ...NO, again: true }), "replay");
	});

	it("that nobody can read goes back only when told to, and not a second time by that alone", () => {
		assert.equal(judge(letter({ type: "UNREADABLE" }), false, NO), "unreadable");
		assert.equal(judge(letter({ type: "UNREADABLE" }), false, { ...NO, unreadable: true }), "replay");
		assert.equal(judge(letter({ type: "UNREADABLE", replays: 1 }), false, { ...NO, unreadable: true }), "again");
	});

	it("of which only the headers were kept stays", () => {
		assert.equal(judge(letter({ type: "RECORD_TOO_LARGE", bytes: 0 }), false, { again: true, unreadable: true }), "lost");
		assert.equal(judge(letter({ type: "RECORD_TOO_LARGE", bytes: 5 }), false, NO), "replay");
	});

	it("is shown without secrets, however deep, in JSON and in what is none", () => {
		const value = {
			user: { login: { password: "hunter2", deeper: [{ refreshToken: "eyJhbGciOi.eyJzdWIi.c2ln" }] } },
			to: "ann@example.org"
		};
		const text = shownValue(Buffer.from(JSON.stringify(value)));
		for (const secret of ["hunter2", "eyJ", "ann@"]) assert.ok(!text.includes(secret), text);
		assert.ok(!shownValue(Buffer.from('{"password":"hunter2"')).includes("hunter2"));
		assert.ok(!shown("key of ann@example.org").includes("ann@"));
	});

	it("is shown without what would move a terminal's cursor, and cut where it is long, but never in the middle of a secret", () => {
		assert.equal(shown("a\u001b[2Jb\r\n\u202e"), "a\\u001b[2Jb\\u000d\\u000a\\u202e");
		const long = shown(`${"x".repeat(990)} ann.with.a.long.name@example.org ${"y".repeat(5_000)}`);
		assert.ok(long.length < 1_100 && !long.includes("ann"), long);
		assert.equal(shownValue(null), "");
	});
});
