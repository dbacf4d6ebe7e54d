// Texts name no file that does not exist, and count nothing that changes with every new service.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import project from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const documents = ["README.md", "CONTRIBUTING.md", ...globSync(["docs/**/*.md", "mixins/**/*.md"], { cwd: root })].filter(
	path => !path.includes("node_modules") && !path.includes("/dist/")
);
const textOf = (path: string) => readFileSync(join(root, path), "utf8");

const FOLDERS = "bench|contract|demo|docs|infra|mixins|proto|public|runtime|services|test|\\.ci";
/** A path from the root, such as `services/contract.ts`; one with a placeholder or a star names no single file. */
const PATH = new RegExp(`(?<![\\w./@<-])(?:${FOLDERS})/[\\w./-]*\\w\\.\\w+(?![\\w*<…])`, "g");
/** What `npm run new:service likes` is going to write. */
const EXAMPLE = /^services\/likes\//;

describe("README, CONTRIBUTING and docs", () => {
	it("name only files that exist", () => {
		for (const document of documents)
			for (const [path] of textOf(document).matchAll(PATH))
				assert.ok(EXAMPLE.test(path) || existsSync(join(root, path)), `${document} names ${path}, which does not exist`);
	});

	it("link only to files that exist", () => {
		for (const document of documents)
			for (const [, target = ""] of textOf(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g))
				if (!/^\w+:/.test(target))
					assert.ok(existsSync(join(root, dirname(document), target)), `${document} links to ${target}, which does not exist`);
	});

	it("name only npm scripts that exist", () => {
		for (const document of documents)
			for (const [, script = ""] of textOf(document).matchAll(/npm run (?:-s )?([\w:]+)/g))
				assert.ok(document.startsWith("mixins/") || script in project.scripts, `${document}: npm run ${script} does not exist`);
	});

	it("say for every bound which variable or constant sets it", () => {
		const [, section = ""] = /^## What is bounded, and by what\n(.*?)\n\n/ms.exec(textOf("docs/security.md")) ?? [];
		const [, , ...rows] = section.split("\n").map(row => row.split(" | "));
		assert.ok(rows.length > 20, section);
		const variables = textOf("runtime/variables.ts");
		for (const [what, , setters = ""] of rows) {
			assert.match(setters, /`\w+`/, what);
			for (const setter of setters.split("; ")) {
				const [, file] = / in `([\w./-]+)`$/.exec(setter) ?? [];
				const source = file === undefined ? variables : textOf(file);
				for (const [, name = ""] of setter.replace(/ in .*/, "").matchAll(/`(\w+)`/g))
					assert.match(source, new RegExp(`\\b${name}\\b`), `${what}: ${name} is not in ${file ?? "runtime/variables.ts"}`);
			}
		}
	});

	it("do not count services or processes", () => {
		const count =
			/\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen) (?:local )?(?:services|containers)\b/i;
		for (const document of documents) assert.doesNotMatch(textOf(document), count, document);
	});
});
