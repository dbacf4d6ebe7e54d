import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { eventually } from "./client.ts";
import { scratchDataDir } from "./scratch.ts";

/** Starts `npm run repl` on this data directory. */
function openRepl(DATA_DIR: string) {
	const ports = { HTTP_PORT: "0", GRPC_PORT: "0", METRICS_PORT: "0" };
	const env = { ...process.env, PROFILE: "embedded", DATA_DIR, ...ports, NO_COLOR: "1" };
	const repl = spawn(process.execPath, ["runtime/start.ts", "--repl"], {
		cwd: join(import.meta.dirname, ".."),
		env,
		stdio: "pipe"
	});
	let printed = "";
	for (const stream of [repl.stdout, repl.stderr])
		stream.on("data", data => {
			printed += stripVTControlCharacters(String(data));
		});
	const ended = once(repl, "close");
	const waitForOutput = (what: RegExp, from = 0) =>
		eventually(() => assert.match(printed.slice(from), what), `${what} in what the REPL prints`, 60_000);
	return {
		waitForOutput,
		/** Sends a line and waits until the output after it matches. Resolves to that output. */
		async run(line: string, answer: RegExp) {
			const from = printed.length;
			repl.stdin.write(`${line}\n`);
			await waitForOutput(answer, from);
			return printed.slice(from);
		},
		end: (text: string) => repl.stdin.end(text),
		kill: () => repl.kill("SIGKILL"),
		get isRunning() {
			return repl.exitCode === null;
		},
		ended,
		output: () => printed
	};
}

describe("the REPL", () => {
	let dataDir: string;
	let repl: ReturnType<typeof openRepl>;
	before(async () => {
		dataDir = await scratchDataDir();
		repl = openRepl(dataDir);
		await repl.waitForOutput(/Plaza is ready/);
	});
	after(() => {
		repl?.kill();
		rmSync(dataDir, { recursive: true, force: true });
	});

	/** Waits until the REPL answers that this user has spent `total`. */
	const balance = (of: ReturnType<typeof openRepl>, user: string, total: number) =>
		eventually(
			async () => {
				const printed = await of.run(`call wallet.getBalance --user_id ${user}`, /total: [\d.]+ \}/);
				assert.match(printed, new RegExp(`total: ${total} \\}`));
			},
			`the balance of ${user}`,
			60_000
		);

	it("starts the system and runs piped commands, with numbers as ids", async () => {
		await repl.run("call purchase.create --user_id 123 --amount 49.99", /amount: 49\.99/);
		await repl.run("call wallet.getBalance --user_id 123", /balances: \{ total: /);
		await balance(repl, "123", 49.99);
	});

	it("takes text parameters as they are typed, and amounts as numbers", async () => {
		for (const [user, amount, total] of [
			["1000", "1", 1],
			["1e3", "7.50", 7.5],
			["1.50", "2.25", 2.25],
			["+5", "4.00", 4],
			["0x10", "3", 3]
		] as const) {
			const answer = new RegExp(`user_id: '${user.replace(/[.+]/, "\\$&")}',\\s+amount: [\\d.]+\\s`);
			await repl.run(`call purchase.create --user_id ${user} --amount ${amount}`, answer);
			await balance(repl, user, total);
		}
		await balance(repl, "1.5", 0);
		await balance(repl, "1000", 1);
	});

	it("lists the actions with their parameters", async () => {
		const printed = await repl.run("actions", /wallet\.getTotalSpent[^\n]*\n/);
		assert.match(printed, /purchase\.create[^\n]*user_id, amount/);
		assert.match(printed, /wallet\.getBalance[^\n]*user_id/);
	});

	it("makes a show and shows its seats, under the names of the contract", async () => {
		const asked = JSON.stringify({ name: "Hamlet", startsAt: "2030-05-01T19:30:00Z", seats: ["A1", "A2"] });
		const made = await repl.run(`call seats.createShow '${asked}'`, /showId: '[\w-]+'/);
		const [, id] = /showId: '([\w-]+)'/.exec(made) ?? [];
		await repl.run(`call seats.show --id ${id}`, /name: 'Hamlet'/);
		await repl.run(`call seats.seats --id ${id}`, /seat: 'A1'[\s\S]*status: 'free'[\s\S]*seat: 'A2'/);
		const printed = await repl.run("actions", /wallet\.getTotalSpent[^\n]*\n/);
		for (const verb of ["createShow", "shows", "seats", "hold", "confirm", "release", "holds", "join"])
			assert.match(printed, new RegExp(`seats\\.${verb}\\b`));
	});

	describe("of a second process on the same data", () => {
		let second: ReturnType<typeof openRepl>;
		before(async () => {
			second = openRepl(dataDir);
			await second.waitForOutput(/Joined the running Plaza/);
		});
		after(() => second?.kill());

		it("gets the answers of the running system", async () => {
			await balance(second, "123", 49.99);
			await second.run("call purchase.create --user_id 1e4 --amount 8.50", /user_id: '1e4',\s+amount: 8\.5\s/);
			await balance(repl, "1e4", 8.5);
		});

		it("shows the error of a call", async () => {
			await second.run("call wallet.getBalance", /ERROR[\s\S]*user_id/);
			await second.run("call purchase.create --user_id ann --amount 0", /ERROR[\s\S]*amount[\s\S]*greater than 0/);
		});

		it("lists the actions with their parameters", async () => {
			const printed = await second.run("actions", /wallet\.getTotalSpent[^\n]*\n/);
			assert.match(printed, /purchase\.create[^\n]*user_id, amount/);
		});

		it("ends without stopping the system, and answers before it ends", async () => {
			const from = second.output().length;
			second.end("call wallet.getBalance --user_id 123\n");
			assert.deepEqual(await second.ended, [0, null]);
			assert.match(second.output().slice(from), /total: 49\.99/);
			assert.ok(repl.isRunning);
			await balance(repl, "123", 49.99);
		});
	});

	it("ends with the system on quit", async () => {
		repl.end("quit\n");
		const [code] = await repl.ended;
		assert.equal(code, 0);
	});
});
