// Starting the system: refused configurations, printed addresses, and log levels.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { grpcClient } from "./client.grpc.ts";
import { openSocketAs } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { freePorts, startProcess } from "./process.ts";
import { type System, startSystem } from "./system.ts";

const START_MS = 60_000;
const dir = mkdtempSync(join(tmpdir(), "plaza-start-"));
const file = join(dir, "file");
writeFileSync(file, "");

/** Invalid values of environment variables. */
const UNUSABLE: [name: string, value: string, env?: Record<string, string>][] = [
	["PROFILE", "both"],
	["HTTP_PORT", "http"],
	["HTTP_PORT", "70000"],
	["EXTRA_HTTP_PORTS", "3000,70000"],
	["DATA_DIR", join(file, "data")],
	...(process.platform === "linux" ? [["DATA_DIR", "/proc/plaza"] as [string, string]] : []),
	// An address of no machine: RFC 5737.
	["HOST", "192.0.2.1", { LOG_LEVEL: "warn" }],
	["KAFKA_BROKERS", "a b"],
	["SERVICES", "socket"],
	["SELECTION_NAMES", "a,a"],
	["GUESTS", "maybe"],
	["MAX_FRAMES_PER_SECOND", "many"],
	["NODE_ID", "a b"],
	["TOPIC_PARTITIONS", "0"],
	["GRPC_TLS_CERT", join(dir, "nothing.pem"), { GRPC_TLS_KEY: join(dir, "nothing.key") }],
	["ALLOWED_ORIGINS", "example.org"]
];
/** Secret variables: the message must not contain their values. */
const UNUSABLE_SECRETS: [name: string, value: string][] = [
	["JWT_SECRET", "short-secret"],
	["DATABASE_URL", "nonsense-with-password"]
];

const linesOf = (output: string) => output.split("\n").filter(line => line.trim() !== "");

after(() => rmSync(dir, { recursive: true, force: true }));

describe("an unusable variable", { concurrency: 3 }, () => {
	const refused = async (name: string, env: Record<string, string>) => {
		const one = startProcess(name, { HTTP_PORT: "0", GRPC_PORT: "0", METRICS_PORT: "0", DATA_DIR: join(dir, "unused"), ...env });
		const { code } = await one.waitForExit(START_MS);
		assert.ok(code !== 0, `ended with ${code}`);
		const [line = "", ...more] = linesOf(one.output());
		assert.deepEqual(more, [], "more than one line");
		return line;
	};

	for (const [name, value, env] of UNUSABLE) {
		it(`stops the start with one line that names the variable, its value and valid values: ${name}=${value}`, async () => {
			const line = await refused(name, { ...env, [name]: value });
			assert.ok(line.includes(name), line);
			assert.ok(line.includes(value), line);
			assert.ok(line.replace(name, "").replace(value, "").length > 15, `does not describe valid values: ${line}`);
		});
	}

	for (const [name, value] of UNUSABLE_SECRETS) {
		it(`stops the start without printing the secret: ${name}`, async () => {
			const line = await refused(name, { [name]: value });
			assert.ok(line.includes(name) && !line.includes(value), line);
		});
	}
});

describe("a Node that cannot run TypeScript", () => {
	for (const file of ["runtime/start.ts", "runtime/start.mjs"])
		it(`ends with one line that says to use npm start: ${file}`, async () => {
			// Then Node treats .ts files as older versions do.
			const args = ["--no-experimental-strip-types", file];
			const { status, stdout, stderr } = spawnSync(process.execPath, args, {
				cwd: join(import.meta.dirname, ".."),
				encoding: "utf8",
				timeout: START_MS
			});
			assert.deepEqual({ status, stdout, lines: linesOf(stderr).length }, { status: 1, stdout: "", lines: 1 }, stderr);
			assert.match(stderr, /npm start/);
		});
});

describe("a start", () => {
	let system: System;
	let extraPort: number;
	before(async () => {
		extraPort = (await freePorts(1))[0] as number;
		const external = { HOST: "0.0.0.0", LOG_LEVEL: "debug", SELECTION_NAMES: "a,b,c,d", EXTRA_HTTP_PORTS: String(extraPort) };
		const misspelt = { HTTP_PROT: "9999", GRPC_TOKN: "secret-of-ann" };
		system = await startSystem({ profile: "embedded", env: { ...external, ...misspelt }, dataDir: join(dir, "from nothing") });
	});
	after(() => system?.stop());

	it("keeps its data from other users of the machine", { skip: process.platform === "win32" }, async () => {
		const dataDir = system.dataDir as string;
		await eventually(() => assert.ok(existsSync(join(dataDir, "operator"))), "the admin socket");
		const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true });
		const files = entries.filter(entry => entry.isFile() && entry.parentPath === dataDir);
		assert.deepEqual(files.map(({ name }) => name).sort(), ["jwt-secret", "lock", "operator"]);
		// The embedded Postgres gives its files mode 0666: their directories protect them.
		const directories = entries.filter(entry => entry.isDirectory());
		for (const path of [dataDir, ...[...files, ...directories].map(({ parentPath, name }) => join(parentPath, name))])
			assert.equal(statSync(path).mode & 0o077, 0, path);
	});

	it("listens on HOST, over HTTP and gRPC", { skip: process.platform !== "linux" && "no other loopback address" }, async () => {
		const at = (address: string) => address.replace("127.0.0.1", "127.0.0.2");
		assert.equal((await httpClient(at(system.url)).get("/health")).status, 200);
		const grpc = grpcClient(at(system.grpc));
		assert.deepEqual(await grpc.getBalance(fresh("buyer")), { balances: { total: 0 } });
		grpc.close();
	});

	it("warns of misspelt variables in one line each, which names both and not the value", () => {
		const output = system.logs();
		for (const [name, meant] of [
			["HTTP_PROT", "HTTP_PORT"],
			["GRPC_TOKN", "GRPC_TOKEN"]
		] as const)
			assert.equal(linesOf(output).filter(line => line.includes(name) && line.includes(meant)).length, 1, output.slice(0, 2000));
		assert.ok(!output.includes("secret-of-ann"));
	});

	it("answers requests and sockets at EXTRA_HTTP_PORTS too", async () => {
		assert.equal((await httpClient(`http://127.0.0.1:${extraPort}`).get("/health")).status, 200);
		const socket = await openSocketAs(`ws://127.0.0.1:${extraPort}/ws`, fresh("user"));
		socket.close();
	});

	it("prints one line with the addresses of HTTP and gRPC when it is ready", async () => {
		const [plaza] = system.processes;
		const [http, grpc] = [plaza?.env.HTTP_PORT as string, plaza?.env.GRPC_PORT as string];
		await plaza?.waitForOutput(new RegExp(`:${http}\\b.*:${grpc}\\b`), START_MS);
		const lines = linesOf(plaza?.output() ?? "").filter(line => line.includes(`:${http}`) && line.includes(`:${grpc}`));
		assert.equal(lines.length, 1, lines.join("\n"));
	});

	it("refuses a second process on the same DATA_DIR, names the pid of the first, and does not disturb the first", async () => {
		const [first] = system.processes;
		const ports = (await freePorts(3)).map(String) as [string, string, string];
		const second = startProcess("second", {
			DATA_DIR: system.dataDir as string,
			HTTP_PORT: ports[0],
			GRPC_PORT: ports[1],
			METRICS_PORT: ports[2]
		});
		const { code } = await second.waitForExit(START_MS);
		assert.ok(code !== 0);
		const lines = linesOf(second.output());
		assert.equal(lines.length, 1, second.output());
		assert.match(lines[0] as string, new RegExp(`\\b${first?.pid}\\b`));
		assert.equal((await httpClient(system.url).get("/health")).status, 200);
	});

	it("logs every hop of a message with its request id at level debug", async () => {
		const [request, user] = [fresh("request"), fresh("user")];
		const socket = await openSocketAs(system.wsUrl, user);
		const pick = { name: "a", id: fresh("pick"), user_id: user };
		await expectStatus(202, httpClient(system.url).post("/api/selections/async", pick, { "x-request-id": request }));
		await socket.waitFor(({ code }) => code === "SelectionSummary", "the count");
		const purchase = { user_id: user, amount: 1 };
		await expectStatus(201, httpClient(system.url).post("/api/purchases", purchase, { "x-request-id": `${request}-2` }));
		await socket.waitFor(({ code }) => code === "balance", "the balance");
		socket.close();
		const hops = (id: string) => linesOf(system.logs()).filter(line => line.includes(id));
		for (const hop of [/stored/i, /published/i, /consumed/i, /pushed/i]) {
			await eventually(
				() =>
					assert.ok(
						hops(request).some(line => hop.test(line)),
						hops(request).join("\n")
					),
				`${hop} in the lines of a pick`
			);
		}
		for (const hop of [/published/i, /consumed/i, /total updated/i, /pushed/i]) {
			await eventually(
				() =>
					assert.ok(
						hops(`${request}-2`).some(line => hop.test(line)),
						hops(`${request}-2`).join("\n")
					),
				`${hop} in the lines of a purchase`
			);
		}
	});

	it("serves metrics only on the loopback address", async t => {
		const address = Object.values(networkInterfaces())
			.flat()
			.find(one => one && !one.internal && one.family === "IPv4")?.address;
		if (!address) return t.skip("this machine has no other address");
		const { HTTP_PORT, METRICS_PORT } = system.processes[0]?.env ?? {};
		assert.equal((await httpClient(`http://${address}:${HTTP_PORT}`).get("/health/live")).status, 200);
		await assert.rejects(httpClient(`http://${address}:${METRICS_PORT}`).get("/metrics"));
	});

	it("lists a, b, c and d by default, and keeps the counts of names that are no longer configured", async () => {
		const http = () => httpClient(system.url);
		const names = async () =>
			((await http().get("/selections")).json as { name: string; count: number }[]).map(({ name, count }) => [name, count]);
		for (const name of ["b", "b", "d"])
			await expectStatus(202, http().post("/api/selections/async", { name, id: fresh(), user_id: "u" }));
		const all = await eventually(async () => {
			const listed = await names();
			assert.deepEqual(
				[listed[1], listed[3]],
				[
					["b", 2],
					["d", 1]
				]
			);
			return listed;
		}, "the picks to be counted");
		const [plaza] = system.processes;
		for (const [chosen, expected] of [
			["d,e,a", [["d", 1], ["e", 0], all[0]]],
			["", all]
		] as const) {
			assert.deepEqual(await plaza?.kill("SIGINT"), { code: 0, signal: null });
			if (plaza) plaza.env.SELECTION_NAMES = chosen;
			await system.restart();
			assert.deepEqual(await names(), expected);
		}
	});
});

describe("a taken port", { concurrency: 3 }, () => {
	for (const variable of ["HTTP_PORT", "GRPC_PORT", "METRICS_PORT"]) {
		it(`stops the start with one line that names the port and its variable: ${variable}`, async () => {
			const [http, grpc, metrics] = (await freePorts(3)).map(String) as [string, string, string];
			const env: Record<string, string> = {
				DATA_DIR: join(dir, variable),
				HTTP_PORT: http,
				GRPC_PORT: grpc,
				METRICS_PORT: metrics
			};
			const port = env[variable] as string;
			const other = createServer().listen(Number(port), "127.0.0.1");
			await once(other, "listening");
			const one = startProcess(variable, { ...env, LOG_LEVEL: "warn" });
			const { code } = await one.waitForExit(START_MS).finally(() => other.close());
			assert.equal(code, 1);
			const lines = linesOf(one.output());
			assert.equal(lines.length, 1, one.output());
			assert.ok(lines[0]?.includes(variable) && new RegExp(`\\b${port}\\b`).test(lines[0]), lines[0]);
		});
	}
});
