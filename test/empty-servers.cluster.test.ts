// start:cluster on servers that are empty: what "ready" means then, and what is left when it is killed.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { testServers } from "../infra/test-servers.ts";
import { openSocketAs } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { freePorts, startProcess } from "./process.ts";
import { processNames, READY_TIMEOUT_MS, STOP_TIMEOUT_MS, type StartedCluster, startCluster } from "./start-cluster.ts";

const INFRA_TIMEOUT_MS = 240_000;
const root = join(import.meta.dirname, "..");

describe("start:cluster on empty servers", { timeout: 2 * INFRA_TIMEOUT_MS + READY_TIMEOUT_MS }, () => {
	let directory: string;
	let servers: Record<string, string>;
	let cluster: StartedCluster;
	const infra = (command: string) =>
		promisify(execFile)(process.execPath, ["infra/main.ts", command], {
			cwd: root,
			env: { ...process.env, ...servers },
			timeout: INFRA_TIMEOUT_MS
		});
	const pids = () => processNames.flatMap(cluster.pidsOf);
	const runs = (pid: number) => {
		try {
			return process.kill(pid, 0);
		} catch {
			return false;
		}
	};

	before(async () => {
		directory = await mkdtemp(join(tmpdir(), "plaza-empty-"));
		servers = await testServers(directory);
		await infra("up");
		cluster = await startCluster(servers);
	});
	after(async () => {
		cluster?.child.kill("SIGKILL");
		for (const pid of cluster ? pids() : []) if (runs(pid)) process.kill(pid, "SIGKILL");
		await infra("wipe");
		await rm(directory, { recursive: true, force: true });
	});

	it("accepts a synchronization, a pick and a purchase at once when it is ready, and their effects reach the screen", async () => {
		await cluster.printed(/^Plaza is ready/m);
		const { post } = httpClient(cluster.url);
		const user_id = fresh("user");
		const socket = await openSocketAs(`${cluster.url.replace("http:", "ws:")}/ws`, user_id);
		const accepted = await Promise.all([
			post("/api/selections/synchronization", { user_id }),
			post("/api/selections/async", { name: "a", id: fresh("pick"), user_id }),
			post("/api/purchases", { user_id, amount: 49.99 })
		]);
		assert.deepEqual(
			accepted.map(({ status }) => status),
			[202, 202, 201],
			accepted.map(({ text }) => text).join("\n")
		);
		await socket.waitFor(({ code }) => code === "SynchronizationResults", "the synchronization");
		await socket.waitFor(({ code }) => code === "SelectionSummary", "the pick");
		await socket.waitFor(({ data }) => data?.balances?.total === 49.99, "the purchase");
		socket.close();
		await expectStatus(200, httpClient(cluster.url).get("/health"));
	});

	it("starts without a warning of Node", () => {
		assert.deepEqual(cluster.output().match(/^.*Warning.*$/gm) ?? [], []);
	});

	it("lets a node that waits for Postgres end with 0 on SIGTERM", async () => {
		const [unusedPort] = await freePorts(1);
		const node = startProcess("waiting", {
			...servers,
			PROFILE: "cluster",
			SERVICES: "users",
			NODE_ID: "waiting",
			METRICS_PORT: "0",
			DATABASE_URL: `postgres://postgres@127.0.0.1:${unusedPort}/none`
		});
		await node.waitForOutput(/postgres does not answer/, READY_TIMEOUT_MS);
		assert.deepEqual(await node.kill("SIGTERM", STOP_TIMEOUT_MS), { code: 0, signal: null }, node.output());
	});

	it("leaves no process behind when it is killed", async () => {
		const started = pids();
		assert.equal(started.length, processNames.length, cluster.output());
		cluster.child.kill("SIGKILL");
		await eventually(() => assert.deepEqual(started.filter(runs), []), "every process to end", STOP_TIMEOUT_MS);
	});
});
