import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { actions } from "./users.contract.ts";
import { normaliseEmail, normalisePassword, passwordError } from "./users.rules.ts";

describe("an e-mail address", () => {
	for (const [text, one] of [
		["ann@example.org", "ann@example.org"],
		["  ANN@Example.ORG ", "ann@example.org"],
		["Ann+shop@example.org", "ann+shop@example.org"],
		["a@b.co", "a@b.co"],
		// Composed and decomposed; the Kelvin sign; full-width letters in a domain.
		["A\u030ake@example.org", "\u00e5ke@example.org"],
		["\u212aarl@example.org", "karl@example.org"],
		["ann@ｅxample.org", "ann@example.org"],
		["ann@BÜCHER.example", "ann@xn--bcher-kva.example"],
		["ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"],
		["O'Brien@mail-1.example.museum", "o'brien@mail-1.example.museum"]
	] as const)
		it(`is normalised: ${JSON.stringify(text)}`, () => {
			assert.equal(normaliseEmail(text), one);
			assert.equal(normaliseEmail(one), one);
		});

	for (const text of [
		"",
		"ann",
		"@example.org",
		"ann@",
		"ann@example",
		"ann@@example.org",
		"ann@b@example.org",
		"an n@example.org",
		'"ann"@example.org',
		"ann@example..org",
		"ann@.example.org",
		"ann@example.org.",
		"ann@127.0.0.1",
		"ann@1.11",
		"ann@0x7f.1",
		"ann@１.１１",
		"ann@[::1]",
		"ann@example.org/x.y",
		"ann@example.org:80",
		"ann@exa%41.com",
		"ann@example.o",
		`ann@${"x".repeat(64)}.org`,
		`${"a".repeat(65)}@example.org`,
		`ann@${"x.".repeat(130)}org`,
		"ann\u0000@example.org",
		"ann@exam\u0000ple.org",
		"ann\n@example.org",
		"ann\ud800@example.org",
		"ann@example\udc00.org",
		"ann\u200b@example.org",
		"ann\u3164@example.org",
		"a\u00adnn@example.org",
		"ann@exam\u00adple.org",
		"ann\u202e@example.org"
	])
		it(`is invalid: ${JSON.stringify(text).slice(0, 40)}`, () => assert.equal(normaliseEmail(text), undefined));
});

describe("a password", () => {
	const person = { email: "ann.archer@example.org", name: "Ann Archer von und zu Hohenfels" };

	for (const password of ["correct horse battery", "ten chars!", "ånn's pässwörter", "密码密码很长很长很长一二"])
		it(`is accepted: ${password}`, () => assert.equal(passwordError(password, person), undefined));

	for (const password of [
		"1234567890",
		"Password123",
		"ＱＷＥＲＴＹＵＩＯＰ",
		"aaaaaaaaaaaa",
		"abababababab",
		"abcabcabcabc",
		"          ",
		"ANN.ARCHER@example.org",
		"Ann.Archer",
		"ann archer von und zu hohenfels"
	])
		it(`is rejected without being repeated in the message: ${password}`, () => {
			const fault = passwordError(password, person);
			assert.equal(fault?.field, "password");
			assert.ok(!fault?.message.includes(password));
		});

	it("is the same for every Unicode composition", () => {
		assert.equal(normalisePassword("pa\u0308sswo\u0308rter"), normalisePassword("pässwörter"));
	});
});

describe("the params of register", () => {
	const { params } = actions["users.register"];
	const account = { email: "ann@example.org", password: "correct horse battery", name: "Ann" };
	const characters = (n: number) => "😀".repeat(n);

	it("count characters, not UTF-16 units", () => {
		for (const password of [characters(10), characters(128)]) assert.ok(params.safeParse({ ...account, password }).success);
		assert.ok(params.safeParse({ ...account, name: characters(64) }).success);
	});

	for (const [field, values] of Object.entries({
		email: ["ann", "ann\u0000@example.org", "ann\u200d@example.org", 1, null],
		password: ["nine char", characters(9), characters(129), "a long pass\ud800word", 1, null],
		name: ["", "  ", "\u3164", "\u200b\u2060", characters(65), "A\u0000", "A\nB", "A\udc00", 1, null]
	}))
		for (const value of values)
			it(`name the invalid field: ${field} ${JSON.stringify(value).slice(0, 30)}`, () => {
				const { error } = params.safeParse({ ...account, [field]: value });
				assert.deepEqual([...new Set(error?.issues.map(({ path }) => path.join()))], [field]);
			});

	it("have no other field, such as a role", () => {
		assert.ok(!params.safeParse({ ...account, role: "admin" }).success);
	});
});
