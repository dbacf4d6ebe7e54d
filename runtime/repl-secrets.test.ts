import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { eventually } from "../test/client.ts";

const PASSWORD = "correct-horse-battery";

/** Starts the REPL at a terminal. Undefined where there is no `script`, the tool of util-linux that runs a command in a terminal. */
async function startRepl(t: TestContext) {
	const home = await mkdtemp(join(tmpdir(), "plaza-repl-"));
	t.after(() => rm(home, { recursive: true, force: true }));
	const command = `'${process.execPath}' '${join(import.meta.dirname, "repl-secrets.fixture.ts")}'`;
	const { PATH = "" } = process.env;
	const env = { PATH, HOME: home, TERM: "xterm", NO_COLOR: "1" };
	const terminal = spawn("script", ["-qefc", command, "/dev/null"], { env, stdio: "pipe" });
	t.after(() => terminal.kill("SIGKILL"));
	let output = "";
	terminal.stdout.setEncoding("utf8").on("data", part => {
		output += stripVTControlCharacters(part);
	});
	const isThere = await new Promise<boolean>(resolve => {
		terminal.once("error", () => resolve(false));
		terminal.once("spawn", () => resolve(true));
	});
	if (!isThere) return undefined;
	const waitFor = (what: RegExp) => eventually(() => assert.match(output, what), `${what} in what the REPL prints`);
	await waitFor(/mol \$ $/);
	return {
		/** Types a line, waits for this output, and returns what the call printed, without the echo of the line. */
		async enter(line: string, until: RegExp) {
			output = "";
			terminal.stdin.write(`${line}\r`);
			await waitFor(until);
			return output.slice(output.lastIndexOf(">> Call"));
		},
		async quit() {
			const ended = new Promise(resolve => terminal.once("close", resolve));
			terminal.stdin.write("quit\r");
			await ended;
			return readFileSync(join(home, ".moleculer_repl_history"), "utf8");
		}
	};
}

describe("the REPL", { skip: process.platform !== "linux" }, () => {
	it("prints no password of a call, and writes none to its history", async t => {
		const repl = await startRepl(t);
		if (!repl) return t.skip("script is not installed");
		const called = await repl.enter(
			`call users.create --email ann@example.org --password ${PASSWORD} --role admin`,
			/created: [\s\S]*mol \$ $/
		);
		assert.match(called, /email: 'ann@example.org'/);
		assert.match(called, /password: '\[secret\]'/);
		assert.ok(!called.includes(PASSWORD), called);
		await repl.enter(`call users.create '{"email":"tom@example.org","password":"${PASSWORD}"}'`, /created: [\s\S]*mol \$ $/);
		await repl.enter("call users.find --email ann@example.org", /found: [\s\S]*mol \$ $/);
		const history = await repl.quit();
		assert.ok(!history.includes(PASSWORD), history);
		assert.match(history, /users\.find --email ann@example\.org/);
	});
});
