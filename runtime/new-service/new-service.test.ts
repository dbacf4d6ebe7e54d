// `npm run new:service likes` in a copy of the project: what it writes passes `npm run check` and its own tests without another change.
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkName } from "./new-service.ts";

const root = join(import.meta.dirname, "../..");
/** What is not part of the sources. */
const LEFT_OUT = /^(node_modules|\.git|data|infra\/\.cache|infra\/\.data|mixins\/dist)$|\.(log|cpuprofile)$/;

describe("a generated service", () => {
	let copy: string;
	const run = (command: string, ...args: string[]): SpawnSyncReturns<string> => {
		// This process is itself a test run: a nested one would report to it instead of running.
		const { NODE_TEST_CONTEXT: _, ...env } = process.env;
		return spawnSync(command, args, { cwd: copy, encoding: "utf8", env });
	};
	const passes = (command: string, ...args: string[]) => {
		const { status, stdout, stderr } = run(command, ...args);
		assert.equal(status, 0, `${command} ${args.join(" ")}\n${stdout}\n${stderr}`);
	};

	before(() => {
		copy = mkdtempSync(join(tmpdir(), "plaza-new-service-"));
		const filter = (path: string) => !LEFT_OUT.test(relative(root, path));
		// Verbatim: otherwise runtime/start.ts would be a link out of the copy, which Biome refuses.
		cpSync(root, copy, { recursive: true, verbatimSymlinks: true, filter });
		symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
		passes("npm", "run", "new:service", "likes");
	});
	after(() => rmSync(copy, { recursive: true, force: true }));

	it("passes npm run check", () => passes("npm", "run", "check"));

	it("passes its own tests, and is listed in docs/security.md and docker-compose.yml", () =>
		passes(
			process.execPath,
			"--test",
			"services/likes/likes.test.ts",
			"services/likes/likes.rules.test.ts",
			"test/matrix.document.test.ts",
			"test/deployment.test.ts"
		));

	it("is refused with one line where it exists already, and changes nothing", () => {
		const before = readFileSync(join(copy, "services/contract.ts"), "utf8");
		const { status, stderr } = run(process.execPath, "runtime/new-service/main.ts", "likes");
		assert.deepEqual([status, stderr], [2, "services/likes exists already\n"]);
		assert.equal(readFileSync(join(copy, "services/contract.ts"), "utf8"), before);
	});
});

for (const [name, message] of [
	[undefined, "give the new service's name: npm run new:service likes"],
	["Likes", '"Likes" is not a service name: use 2 to 24 letters from a to z, such as likes'],
	["class", '"class" is a name that the generated code needs itself: choose another, such as likes'],
	["orders", "services/orders exists already"],
	["payments", "the route GET /api/payments/:orderId exists already: choose another name"]
] as const)
	it(`a service named ${name} is refused with one line`, () => {
		assert.throws(() => checkName(root, name, ["GET /api/payments/:orderId"]), { message });
	});
