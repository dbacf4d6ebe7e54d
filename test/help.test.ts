import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { runCommand } from "./command.ts";

const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
	scripts: Record<string, string>;
};
/** The npm scripts that run a program of the project; the others run tools or tests, which have their own help. */
const programs = Object.entries(scripts).flatMap(([name, script]) => {
	const [node, file = "", ...args] = script.split(" ");
	const isProgram = node === "node" && /^(?!node_modules).*(?<!\.test)\.(ts|mjs)$/.test(file) && !file.startsWith("-");
	return isProgram ? [{ name, file, args }] : [];
});

describe("--help", { concurrency: 2 }, () => {
	it("is tested for every program", () => {
		for (const name of ["start", "start:cluster", "repl", "infra:up", "user:create", "deadletters", "demo", "demo:seed", "bench"])
			assert.ok(
				programs.some(program => program.name === name),
				name
			);
	});

	for (const { name, file, args } of programs)
		for (const option of ["--help", "-h"])
			it(`prints the help of ${name} and ends with 0: ${option}`, async () => {
				const { code, out, err } = await runCommand(file, [...args, option], {});
				assert.deepEqual({ code, err }, { code: 0, err: "" }, out);
				assert.ok(out.includes(`npm run ${name}`) || out.includes(`npm ${name}`), `does not name the command:\n${out}`);
			});
});
