import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { httpClient } from "../test/client.ts";
import { runCommand } from "../test/command.ts";
import { scratchDataDir } from "../test/scratch.ts";
import { type System, startSystem } from "../test/system.ts";

const PASSWORD = "correct horse battery";
const EMAIL = "admin@example.org";

describe("the demo", () => {
	let dataDir: string;
	let system: System | undefined;
	before(async () => {
		dataDir = await scratchDataDir();
	});
	after(async () => {
		await system?.stop();
		rmSync(dataDir, { recursive: true, force: true });
	});

	const run = (script: "seed" | "traffic", args: string[] = [], env: Record<string, string> = {}) =>
		runCommand(`demo/${script}.ts`, args, { DATA_DIR: dataDir, ...env });
	const seed = () => run("seed", [], { DEMO_ADMIN_PASSWORD: PASSWORD });

	it("creates no admin without a password", async () => {
		const { code, out, err } = await run("seed");
		assert.deepEqual([code, out], [1, ""]);
		assert.match(err, /^No password was given: no account was created\n$/);
	});

	it("fills an empty system that does not run, and adds nothing in a second run", async () => {
		assert.deepEqual(await seed(), {
			code: 0,
			out: `Created the admin ${EMAIL}, 20 products, 1 show, 4 buyers, 20 orders\n`,
			err: ""
		});
		assert.deepEqual(await seed(), { code: 0, out: "Everything exists already\n", err: "" });
	});

	it("adds nothing to a running system that was filled before, and all data is visible", async () => {
		system = await startSystem({ profile: "embedded", dataDir });
		assert.deepEqual(await seed(), { code: 0, out: "Everything exists already\n", err: "" });
		const http = httpClient(system.url);
		assert.equal((await http.get("/api/products?limit=200")).json.length, 20);
		assert.deepEqual(
			(await http.get("/api/shows")).json.map(({ name, seatCount }: { name: string; seatCount: number }) => [name, seatCount]),
			[["An evening by the sea", 212]]
		);
		const { json } = await http.post("/api/auth/login", { email: EMAIL, password: PASSWORD });
		const authorization = `Bearer ${json.token}`;
		const { statuses } = (await http.get("/api/order-figures", { authorization })).json;
		assert.deepEqual(statuses, { pending: 4, processing: 4, shipped: 4, delivered: 4, cancelled: 4 });
	});

	it("simulates buyers and an admin for the given time, and prints their actions", async () => {
		const args = ["--seconds", "15", "--buyers", "3", "--url", system!.url, "--admin", EMAIL];
		const { code, out, err } = await run("traffic", args, { DEMO_ADMIN_PASSWORD: PASSWORD });
		assert.deepEqual([code, err], [0, ""]);
		assert.match(out, /^3 buyers and an admin at .* for 15 s\n/);
		assert.match(out, /\d {2}registered$/m);
		assert.match(out, /\d {2}held seats$/m);
		const { json } = await httpClient(system!.url).post("/api/auth/login", { email: EMAIL, password: PASSWORD });
		const inventory = await httpClient(system!.url).get("/api/inventory", { authorization: `Bearer ${json.token}` });
		assert.deepEqual(inventory.json.broken, []);
	});

	it("prints an error in one line and exits with 1", async () => {
		for (const [args, line] of [
			[["--seconds", "none"], /^Usage: npm run demo:traffic/],
			[["--admin", EMAIL], /^DEMO_ADMIN_PASSWORD is missing/],
			[["--url", "http://127.0.0.1:9", "--seconds", "1"], /^http:\/\/127\.0\.0\.1:9 does not answer/]
		] as const) {
			const { code, err } = await run("traffic", [...args]);
			assert.equal(code, 1);
			assert.match(err, line);
			assert.equal(err.trim().split("\n").length, 1, err);
		}
	});
});
