import assert from "node:assert/strict";
import { it } from "node:test";
import { isFresh } from "./etag.ts";

it("a client has a response whose tag it lists, strong or weak, or if it sends *", () => {
	const has = (known: string | undefined) => isFresh({ headers: { "if-none-match": known } }, '"7-ab"');
	for (const known of ['"7-ab"', 'W/"7-ab"', '"6", "7-ab"', '"6",W/"7-ab","8"', '"a,b" , "7-ab"', "*", " * "])
		assert.equal(has(known), true, known);
	for (const known of [
		undefined,
		"",
		"7-ab",
		'"7-a"',
		'"7-abc"',
		'W/"7"',
		'"7-ab',
		'7-ab"',
		'"*"',
		"**",
		'"6", "8"',
		'"x"7-ab"y"'
	])
		assert.equal(has(known), false, String(known));
});
