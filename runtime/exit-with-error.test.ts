import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { runCommand } from "../test/command.ts";

describe("a command's error", () => {
	const url = new URL("exit-with-error.ts", import.meta.url);
	const script = `import { exitWithError } from "${url}"; exitWithError("ann@example.org is taken");`;

	it("is redacted where it may go to a log", async () => {
		const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", "pipe"] });
		assert.equal(await text(child.stderr), "[e-mail] is taken\n");
	});

	it("is not redacted at a terminal", { skip: process.platform !== "linux" }, async t => {
		// The tool of util-linux that runs a command in a terminal: https://man7.org/linux/man-pages/man1/script.1.html
		const command = `'${process.execPath}' --input-type=module -e '${script}'`;
		const terminal = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
		const isThere = await new Promise(resolve => terminal.once("spawn", () => resolve(true)).once("error", () => resolve(false)));
		if (!isThere) return t.skip("script is not installed");
		assert.match(await text(terminal.stdout), /ann@example\.org is taken/);
	});

	for (const [file, args, example] of [
		["services/users/users.create.ts", [], "--email ann@example.org"],
		["demo/seed.ts", ["--nonsense"], "--email admin@example.org"]
	] as const)
		it(`shows the usage of ${file} with its example addresses`, async () => {
			const { code, err } = await runCommand(file, [...args], {});
			assert.equal(code, 1);
			assert.ok(err.includes(example), err);
		});
});
