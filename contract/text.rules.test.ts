import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkFields } from "../mixins/field-errors.ts";
import { hasInvisible, text } from "./text.ts";

const messageOf = (value: unknown) => checkFields(text(8), value).fieldErrors?.[0]?.message;

/** Invisible characters. */
const INVISIBLE = {
	"a space": " ",
	"a no-break space": "\u00a0",
	"an ideographic space": "\u3000",
	"a line separator": "\u2028",
	"a soft hyphen": "\u00ad",
	"a zero-width space": "\u200b",
	"a zero-width joiner": "\u200d",
	"a left-to-right mark": "\u200e",
	"a right-to-left override": "\u202e",
	"a word joiner": "\u2060",
	"a byte order mark": "\ufeff",
	"a combining grapheme joiner": "\u034f",
	"a Hangul filler": "\u3164",
	"a half-width Hangul filler": "\uffa0",
	"a Hangul choseong filler": "\u115f",
	"a Mongolian vowel separator": "\u180e",
	"a variation selector": "\ufe0f",
	"a tag character": "\u{e0041}",
	"the empty Braille pattern": "\u2800",
	"an unassigned character": "\u{1ffff}"
};

describe("text for people", () => {
	for (const [name, character] of Object.entries(INVISIBLE)) {
		it(`is refused if it consists of ${name}`, () => {
			assert.equal(messageOf(character.repeat(2)), "must contain a visible character");
			assert.ok(hasInvisible(`ann${character}@example.org`));
		});

		it(`may contain ${name} beside something visible`, () => assert.equal(messageOf(`${character}a`), undefined));
	}

	it("may be any visible text", () => {
		for (const shown of ["a", "密", "ب", "👩‍👩‍👧", "é", "e\u0301", "한", "⠁", "-", "☃️"])
			assert.equal(messageOf(shown), undefined, shown);
		for (const plain of ["ann+shop@example.org", "åke@bücher.example", "密@例え.example"]) assert.ok(!hasInvisible(plain), plain);
	});

	it("has 1 to the given number of characters, no U+0000 and no lone surrogate", () => {
		for (const [value, message] of [
			["", "must not be empty"],
			["x".repeat(9), "must be at most 8 characters long"],
			["a\u0000", "must be well-formed Unicode without U+0000"],
			["a\ud800", "must be well-formed Unicode without U+0000"],
			[1, "must be text"],
			[undefined, "is required"]
		] as const)
			assert.equal(messageOf(value), message);
		assert.equal(messageOf("😀".repeat(8)), undefined);
	});
});
