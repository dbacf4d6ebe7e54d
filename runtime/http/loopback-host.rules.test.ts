import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHostAllowed } from "./loopback-host.ts";

describe("a server on a loopback address", () => {
	for (const header of [
		"localhost",
		"localhost:3030",
		"LocalHost:3030",
		"127.0.0.1",
		"127.0.0.1:3030",
		"127.1.2.3:3030",
		"[::1]:3030",
		"[::1]"
	])
		it(`answers Host: ${header}`, () => {
			for (const listenHost of ["127.0.0.1", "::1", "localhost"]) assert.ok(isHostAllowed(header, listenHost), listenHost);
		});

	for (const header of [
		...[
			"evil.example",
			"evil.example:3030",
			"localhost.evil.example",
			"evil-localhost",
			"127.0.0.1.evil.example",
			"127.evil.example:80"
		],
		...[
			"203.0.113.7:3030",
			"[2001:db8::1]:3030",
			"0.0.0.0:3030",
			"",
			":3030",
			"localhost:3030:3030",
			"[localhost]evil.example",
			"a@localhost"
		]
	])
		it(`does not answer Host: ${header}`, () => {
			for (const listenHost of ["127.0.0.1", "::1", "localhost"]) assert.ok(!isHostAllowed(header, listenHost), listenHost);
		});

	it("answers a client that sends no Host header", () => assert.ok(isHostAllowed(undefined, "127.0.0.1")));
});

describe("a server on another address", () => {
	it("answers every Host: other machines may reach it under any name", () => {
		for (const listenHost of ["0.0.0.0", "::", "10.0.0.7"])
			for (const header of ["api:3030", "10.0.0.7:3030", "localhost:3030"]) assert.ok(isHostAllowed(header, listenHost), header);
	});
});
