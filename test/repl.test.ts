import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { eventually } from "./client.ts";
import { scratchDataDir } from "./scratch.ts";

describe("the REPL", () => {
	it("starts the system and runs piped commands, with numbers as ids", async () => {
		const DATA_DIR = await scratchDataDir();
		after(() => rmSync(DATA_DIR, { recursive: true }));
		const env = {
			...process.env,
			PROFILE: "embedded",
			DATA_DIR,
			HTTP_PORT: "0",
			GRPC_PORT: "0",
			METRICS_PORT: "0",
			NO_COLOR: "1"
		};
		const repl = spawn(process.execPath, ["runtime/start.ts", "--repl"], {
			cwd: join(import.meta.dirname, ".."),
			env,
			stdio: "pipe"
		});
		after(() => repl.kill("SIGKILL"));
		let printed = "";
		for (const stream of [repl.stdout, repl.stderr])
			stream.on("data", data => {
				printed += stripVTControlCharacters(String(data));
			});
		const waitForOutput = (what: RegExp, after = 0) =>
			eventually(() => assert.match(printed.slice(after), what), `${what} in what the REPL prints`, 60_000);

		await waitForOutput(/Plaza is ready/);
		repl.stdin.write("call purchase.create --user_id 123 --amount 49.99\n");
		await waitForOutput(/amount: 49\.99/);
		repl.stdin.write("call wallet.getBalance --user_id 123\n");
		await waitForOutput(/balances: \{ total: /);
		await eventually(() => {
			const from = printed.length;
			repl.stdin.write("call wallet.getBalance --user_id 123\n");
			return waitForOutput(/total: 49\.99/, from);
		}, "the balance after the purchase");
		repl.stdin.write("quit\n");
		const [code] = await once(repl, "exit");
		assert.equal(code, 0);
	});
});
