import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable, printableValue, verdictOf } from "./deadletters.rules.ts";

const letter = (more: object) => ({
	partition: 0,
	offset: 1,
	from: 7,
	group: "wallet",
	type: "ERROR",
	reason: "boom",
	at: "2026-01-31T12:00:00.000Z",
	key: "123",
	matchesKey: true,
	value: "{}",
	bytes: 2,
	replays: 0,
	...more
});
const NO = { again: false, unreadable: false };

describe("a dead letter", () => {
	it("goes back once", () => {
		assert.equal(verdictOf(letter({}), false, NO), "replay");
		assert.equal(verdictOf(letter({}), true, { again: true, unreadable: true }), "replayed");
	});

	it("that died again goes back only when told to", () => {
		assert.equal(verdictOf(letter({ replays: 1 }), false, NO), "again");
		assert.equal(verdictOf(letter({ replays: 3 }), false, { ...NO, again: true }), "replay");
	});

	it("that nobody can read goes back only when told to, and not a second time by that alone", () => {
		assert.equal(verdictOf(letter({ type: "UNREADABLE" }), false, NO), "unreadable");
		assert.equal(verdictOf(letter({ type: "UNREADABLE" }), false, { ...NO, unreadable: true }), "replay");
		assert.equal(verdictOf(letter({ type: "UNREADABLE", replays: 1 }), false, { ...NO, unreadable: true }), "again");
	});

	it("of which only the headers were kept stays", () => {
		assert.equal(verdictOf(letter({ type: "RECORD_TOO_LARGE", bytes: 0 }), false, { again: true, unreadable: true }), "lost");
		assert.equal(verdictOf(letter({ type: "RECORD_TOO_LARGE", bytes: 5 }), false, NO), "replay");
	});

	it("is shown without secrets, however deep, in JSON and in what is none", () => {
		const value = {
			user: { login: { password: "hunter2", deeper: [{ refreshToken: "eyJhbGciOi.eyJzdWIi.c2ln" }] } },
			to: "ann@example.org"
		};
		const text = printableValue(Buffer.from(JSON.stringify(value)));
		for (const secret of ["hunter2", "eyJ", "ann@"]) assert.ok(!text.includes(secret), text);
		assert.ok(!printableValue(Buffer.from('{"password":"hunter2"')).includes("hunter2"));
		assert.ok(!printable("key of ann@example.org").includes("ann@"));
	});

	it("is shown without what would move a terminal's cursor, and cut where it is long, but never in the middle of a secret", () => {
		assert.equal(printable("a\u001b[2Jb\r\n\u202e"), "a\\u001b[2Jb\\u000d\\u000a\\u202e");
		const long = printable(`${"x".repeat(990)} ann.with.a.long.name@example.org ${"y".repeat(5_000)}`);
		assert.ok(long.length < 1_100 && !long.includes("ann"), long);
		assert.equal(printableValue(null), "");
	});
});
