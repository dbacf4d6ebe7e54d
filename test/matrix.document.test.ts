// docs/security.md lists every door, and none that is not there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { doors } from "./matrix.endpoints.ts";

describe("docs/security.md", () => {
	const text = readFileSync(new URL("../docs/security.md", import.meta.url), "utf8");
	const plain = (cell = "") => cell.trim().replaceAll("`", "");
	// The first table: there are others further down.
	const [, section = ""] = text.split(/^## /m);
	const told = section
		.split("\n")
		.filter(line => line.startsWith("| "))
		.map(line => line.split(/(?<!\\)\|/).map(plain))
		.filter(([, door]) => door !== "door" && !door?.startsWith("---"))
		.map(([, door, action, who, how]) => ({ line: `${door} → ${action}: ${who}`, how }));

	it("lists every door, with who may use it, and no other", () => {
		const are = doors.map(({ door, action, who }) => `${door} → ${action}: ${who}`);
		assert.deepEqual(told.map(({ line }) => line).sort(), are.sort());
	});

	it("says of each how it is checked", () => {
		for (const { line, how } of told) assert.ok(how, line);
	});
});
