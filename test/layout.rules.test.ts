// The root directory holds folders and the files that tools look for there; everything else belongs into a folder.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ALLOWED = [
	"CONTRIBUTING.md",
	"Dockerfile",
	"LICENSE",
	"README.md",
	"biome.json",
	"docker-compose.yml",
	"moleculer.config.ts",
	"package-lock.json",
	"package.json",
	"tsconfig.json"
];
/** What .gitignore lists: logs and profiles of one machine. */
const IGNORED = /\.(log|cpuprofile)$/;

test("the root directory holds no file beside those that tools look for there", () => {
	const files = readdirSync(join(import.meta.dirname, ".."), { withFileTypes: true })
		.filter(entry => entry.isFile() && !entry.name.startsWith(".") && !IGNORED.test(entry.name))
		.map(({ name }) => name);
	assert.deepEqual(
		files.filter(name => !ALLOWED.includes(name)),
		[],
		"move these files into the folder that they belong to"
	);
});

test("the import rules see TypeScript: without swc, dependency-cruiser would skip every .ts file and pass", async () => {
	assert.ok((await import("@swc/core")).parseSync("type A = 1", { syntax: "typescript" }));
});
