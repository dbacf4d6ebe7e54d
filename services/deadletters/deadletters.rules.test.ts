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
	it("is replayed once", () => {
		assert.equal(verdictOf(letter({}), false, NO), "replay");
		assert.equal(verdictOf(letter({}), true, { again: true, unreadable: true }), "replayed");
	});

	it("that failed again is replayed only with --again", () => {
		assert.equal(verdictOf(letter({ replays: 1 }), false, NO), "again");
		assert.equal(verdictOf(letter({ replays: 3 }), false, { ...NO, again: true }), "replay");
	});

	it("that is unreadable is replayed only with --unreadable, and the second time also needs --again", () => {
		assert.equal(verdictOf(letter({ type: "UNREADABLE" }), false, NO), "unreadable");
		assert.equal(verdictOf(letter({ type: "UNREADABLE" }), false, { ...NO, unreadable: true }), "replay");
		assert.equal(verdictOf(letter({ type: "UNREADABLE", replays: 1 }), false, { ...NO, unreadable: true }), "again");
	});

	it("whose bytes were not stored is never replayed", () => {
		assert.equal(verdictOf(letter({ type: "RECORD_TOO_LARGE", bytes: 0 }), false, { again: true, unreadable: true }), "lost");
		assert.equal(verdictOf(letter({ type: "RECORD_TOO_LARGE", bytes: 5 }), false, NO), "replay");
	});

	it("is printed with its secrets redacted, at any depth of JSON and in other text", () => {
		const value = {
			user: { login: { password: "hunter2", deeper: [{ refreshToken: "eyJhbGciOi.eyJzdWIi.c2ln" }] } },
			to: "ann@example.org"
		};
		const text = printableValue(Buffer.from(JSON.stringify(value)));
		for (const secret of ["hunter2", "eyJ", "ann@"]) assert.ok(!text.includes(secret), text);
		assert.ok(!printableValue(Buffer.from('{"password":"hunter2"')).includes("hunter2"));
		assert.ok(!printable("key of ann@example.org").includes("ann@"));
	});

	it("is printed with control characters escaped, and truncated, but never within a secret", () => {
		assert.equal(printable("a\u001b[2Jb\r\n\u202e"), "a\\u001b[2Jb\\u000d\\u000a\\u202e");
		const long = printable(`${"x".repeat(990)} ann.with.a.long.name@example.org ${"y".repeat(5_000)}`);
		assert.ok(long.length < 1_100 && !long.includes("ann"), long);
		assert.equal(printableValue(null), "");
	});
});
