// The table in docs/security.md lists every endpoint, and no others.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { endpoints } from "./matrix.endpoints.ts";

describe("docs/security.md", () => {
	const text = readFileSync(new URL("../docs/security.md", import.meta.url), "utf8");
	const plain = (cell = "") => cell.trim().replaceAll("`", "");
	// Only the first section: later sections have other tables.
	const [, section = ""] = text.split(/^## /m);
	const listed = section
		.split("\n")
		.filter(line => line.startsWith("| "))
		.map(line => line.split(/(?<!\\)\|/).map(plain))
		.filter(([, endpoint]) => endpoint !== "endpoint" && !endpoint?.startsWith("---"))
		.map(([, endpoint, action, who, how]) => ({ line: `${endpoint} → ${action}: ${who}`, how }));

	it("lists every endpoint, with who may use it, and no other", () => {
		const expected = endpoints.map(({ endpoint, action, who }) => `${endpoint} → ${action}: ${who}`);
		assert.deepEqual(listed.map(({ line }) => line).sort(), expected.sort());
	});

	it("says for each endpoint how it is checked", () => {
		for (const { line, how } of listed) assert.ok(how, line);
	});
});
