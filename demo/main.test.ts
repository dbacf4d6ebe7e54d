// `npm run demo` as a user runs it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, expectStatus, httpClient } from "../test/client.ts";
import { freePorts, type SystemProcess, startProcess, within } from "../test/process.ts";
import { scratchDataDir } from "../test/scratch.ts";

const START_MS = 60_000;
/** Longer than the contract's 10 s: the machine may be busy. */
const STOP_MS = 30_000;
const CREATED = /^Created the admin (\S+) with the password (\S+) /m;

describe("the self-filling demo", () => {
	let env: Record<string, string>;
	let http: ReturnType<typeof httpClient>;
	let demo: SystemProcess;
	let email: string;
	let password: string;

	before(async () => {
		const [port] = await freePorts(1);
		env = { DATA_DIR: await scratchDataDir(), HTTP_PORT: String(port), GRPC_PORT: "0", METRICS_PORT: "0" };
		http = httpClient(`http://127.0.0.1:${port}`);
		demo = startProcess("demo", env, { file: "demo/main.ts" });
	});
	after(async () => {
		if (!demo.ended) await demo.kill("SIGKILL");
		// The killed demo's system stops by itself.
		await eventually(() => assert.ok(!existsSync(join(env.DATA_DIR!, "lock"))), "the data directory to be free", STOP_MS);
		rmSync(env.DATA_DIR!, { recursive: true, force: true });
	});

	const signIn = async () => {
		const { json } = await expectStatus(200, http.post("/api/auth/login", { email, password }));
		assert.equal(json.user.role, "admin");
		return { authorization: `Bearer ${json.token}` };
	};
	const countPicks = async () => {
		const { json } = await expectStatus(200, http.get("/selections"));
		return (json as { count: number }[]).reduce((sum, { count }) => sum + count, 0);
	};
	const morePicksThan = (before: number) =>
		eventually(async () => {
			const now = await countPicks();
			assert.ok(now > before, `${now} picks, as before`);
			return now;
		}, "more picks");

	it("prints when it is ready, and an admin that can sign in", async () => {
		await demo.waitForOutput(/^Plaza is ready: http/m, START_MS);
		await demo.waitForOutput(CREATED, START_MS);
		[, email = "", password = ""] = CREATED.exec(demo.output()) ?? [];
		await signIn();
	});

	it("simulates users who pick, order, and take seats", async () => {
		await morePicksThan(await morePicksThan(0));
		const authorization = await signIn();
		await eventually(async () => {
			const { statuses } = (await http.get("/api/order-figures", authorization)).json as { statuses: Record<string, number> };
			const orders = Object.values(statuses).reduce((sum, many) => sum + many);
			assert.ok(orders > 20, `${orders} orders, and 20 of them are there from the start`);
		}, "orders of the simulated buyers");
		await eventually(async () => {
			const [show] = (await http.get("/api/shows")).json;
			const { seats } = (await http.get(`/api/shows/${show.showId}/seats`)).json as { seats: { status: string }[] };
			assert.ok(seats.some(({ status }) => status === "held" || status === "sold"));
		}, "a held or sold seat");
	});

	it("prints why it cannot start, exits with 1, and changes nothing, while another process uses the data directory", async () => {
		const second = startProcess("second demo", env, { file: "demo/main.ts" });
		assert.deepEqual(await second.waitForExit(START_MS), { code: 1, signal: null }, second.output());
		assert.match(second.output(), /^DATA_DIR=.*$/m);
		assert.doesNotMatch(second.output(), /ready|Created/);
		assert.equal(demo.ended, undefined, demo.output());
	});

	it("exits with 0 on SIGTERM, frees the data directory, and has stored the password nowhere in clear text", async () => {
		assert.deepEqual(await demo.kill("SIGTERM", STOP_MS), { code: 0, signal: null }, demo.output());
		assert.ok(!existsSync(join(env.DATA_DIR!, "lock")), "the data directory is still locked");
		assert.equal(demo.output().split(password).length, 2, "the password was not printed exactly once");
		const files = globSync("**", { cwd: env.DATA_DIR! })
			.map(name => join(env.DATA_DIR!, name))
			.filter(path => statSync(path).isFile());
		assert.ok(files.length > 10, `${files}`);
		assert.deepEqual(
			files.filter(path => readFileSync(path).includes(password)),
			[]
		);
	});

	it("continues on its data without a new admin, and leaves nothing running when npm alone is killed", async () => {
		const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
		const npm = spawn("npm", ["run", "demo"], {
			cwd: join(import.meta.dirname, ".."),
			env: { PATH, HOME, TMPDIR, ...env },
			stdio: ["ignore", "pipe", "pipe"]
		});
		let output = "";
		for (const stream of [npm.stdout, npm.stderr])
			stream.setEncoding("utf8").on("data", text => {
				output += text;
			});
		// Emitted once every process that has npm's output open has ended.
		const closed = once(npm, "close");
		try {
			await eventually(() => assert.match(output, /^Plaza is ready/m), "npm run demo to be ready", START_MS);
			await morePicksThan(await countPicks());
			await signIn();
		} finally {
			npm.kill("SIGKILL");
		}
		await within(closed, STOP_MS, () => `all processes of npm run demo to end; the output:\n${output}`);
		assert.doesNotMatch(output, CREATED);
		assert.ok(!existsSync(join(env.DATA_DIR!, "lock")), "it has not stopped gracefully: the data directory is still locked");
	});
});
