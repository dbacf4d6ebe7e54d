import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, fresh, httpClient } from "../../test/client.ts";
import { scratchDataDir } from "../../test/scratch.ts";
import { type System, startSystem } from "../../test/system.ts";
import { userCreate } from "./users.create.fixture.ts";

const PASSWORD = "correct horse battery";

describe("npm run user:create", () => {
	let dataDir: string;
	before(async () => {
		dataDir = await scratchDataDir();
	});
	after(() => rmSync(dataDir, { recursive: true, force: true }));

	const create = (args: string[], input = `${PASSWORD}\n`) => userCreate({ DATA_DIR: dataDir }, args, input);
	const address = () => `${fresh("ann")}@example.org`;

	for (const [what, args, input] of [
		["no address", []],
		["no address after --email", ["--email"]],
		["an invalid address", ["--email", "ann"]],
		["an empty name", ["--email", "ann@example.org", "--name", " "]],
		["an unknown option", ["--email", "ann@example.org", "--role", "admin"]],
		["a password as an argument", ["--email", "ann@example.org", "--password", PASSWORD]],
		["an extra argument", ["--email", "ann@example.org", PASSWORD]],
		["no password", ["--email", "ann@example.org"], ""],
		["a short password", ["--email", "ann@example.org"], "short\n"],
		["a common password", ["--email", "ann@example.org"], "password123\n"]
	] as [string, string[], string?][])
		it(`prints one line with the error, exits with 1 and creates nothing: ${what}`, async () => {
			const { code, out, err } = await create(args, input);
			assert.deepEqual([code, out], [1, ""]);
			assert.match(err, /^.{15,}\n$/);
			assert.ok(!err.includes(PASSWORD) && !err.includes("password123"), err);
		});

	it("prints its usage without redacting the example address", async () => {
		const { err } = await create([]);
		assert.match(err, /^Usage: npm run user:create -- --email ann@example\.org \[--admin\]/);
	});

	describe("while Plaza runs", () => {
		let system: System;
		const email = address();
		const login = (text: string) => httpClient(system.url).post("/api/auth/login", { email: text, password: PASSWORD });
		after(() => system?.stop());

		it("has created accounts before the start, which can sign in after it", async () => {
			const { code, out, err } = await create(["--email", email.toUpperCase(), "--admin", "--name", "Ann"]);
			assert.deepEqual([code, err], [0, ""]);
			assert.match(out, new RegExp(`^${email} .*admin.*acct_[0-9a-f]{32}\n$`));
			assert.ok(!existsSync(join(dataDir, "lock")), "the data directory is still locked");
			system = await startSystem({ profile: "embedded", dataDir });
			const { status, json } = await login(email);
			assert.deepEqual([status, json.user.email, json.user.role, json.user.name], [200, email, "admin", "Ann"]);
		});

		it("creates accounts through the running process, which logs no password", async () => {
			const text = address();
			assert.equal((await create(["--email", text])).code, 0);
			assert.equal((await login(text)).json.user.role, "user");
			assert.ok(!system.logs().includes(PASSWORD));
			assert.ok(!system.logs().includes(text));
		});

		it("does not change an existing account, and says so", async () => {
			const text = address();
			await httpClient(system.url).post("/api/auth/register", { email: text, password: PASSWORD, name: "Tom" });
			const { code, out, err } = await create(["--email", text, "--admin"], "another long password\n");
			assert.deepEqual([code, out], [1, ""]);
			assert.match(err, /^.*already.*\n$/);
			assert.equal((await login(text)).json.user.role, "user");
		});

		it("creates accounts after the process was killed, and while the next one starts", async () => {
			await system.kill9();
			const [before, during] = [address(), address()];
			assert.equal((await create(["--email", before])).code, 0);
			const [{ code, err }] = await Promise.all([create(["--email", during]), system.restart()]);
			assert.equal(code, 0, err);
			for (const text of [before, during]) assert.equal((await login(text)).status, 200);
		});
	});

	it("prompts twice at a terminal, without echo", { skip: process.platform !== "linux" }, async t => {
		const email = address();
		// The tool of util-linux that runs a command in a terminal: https://man7.org/linux/man-pages/man1/script.1.html
		const command = `'${process.execPath}' services/users/users.create.ts --email ${email}`;
		const { PATH = "", HOME = "" } = process.env;
		const terminal = spawn("script", ["-qefc", command, "/dev/null"], {
			cwd: new URL("../../", import.meta.url),
			env: { PATH, HOME, TERM: "xterm", DATA_DIR: dataDir },
			stdio: "pipe"
		});
		t.after(() => terminal.kill("SIGKILL"));
		let output = "";
		terminal.stdout.setEncoding("utf8").on("data", part => {
			output += part;
		});
		const failed = new Promise<Error>(resolve => terminal.once("error", resolve));
		const ended = new Promise<number | null>(resolve => terminal.once("close", resolve));
		const isThere = await Promise.race([
			failed.then(() => false),
			new Promise<true>(resolve => terminal.once("spawn", () => resolve(true)))
		]);
		if (!isThere) return t.skip("script is not installed");
		await eventually(() => assert.match(output, /Password: $/), "the first prompt");
		terminal.stdin.write(`${PASSWORD}x\u007f\r`);
		await eventually(() => assert.match(output, /Repeat the password: $/), "the second prompt");
		terminal.stdin.write(`${PASSWORD}\r`);
		assert.equal(await ended, 0, output);
		assert.match(output, new RegExp(`${email} .*acct_`));
		assert.ok(!output.includes(PASSWORD));
	});
});
