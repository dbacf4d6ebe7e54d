// Tests start:cluster as a user runs it, against running servers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePortRange } from "../infra/test-servers.ts";
import { layout } from "../runtime/cluster.ts";
import { eventually } from "./client.ts";
import { within } from "./process.ts";

const READY_TIMEOUT_MS = 120_000;
/** 12 s until SIGKILL, plus a margin for a busy machine. */
const STOP_TIMEOUT_MS = 20_000;

describe("start:cluster", { timeout: 2 * READY_TIMEOUT_MS + STOP_TIMEOUT_MS }, () => {
	const names = Object.keys(layout);
	let output = "";
	let ports: { http: number; grpc: number; metrics: number };
	let cluster: ReturnType<typeof start>;

	const start = () => {
		const { http, grpc, metrics } = ports;
		const env = { ...process.env, HTTP_PORT: String(http), GRPC_PORT: String(grpc), METRICS_PORT: String(metrics) };
		const cwd = fileURLToPath(new URL("..", import.meta.url));
		const child = spawn(process.execPath, ["runtime/cluster.ts"], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", text => {
				output += text;
			});
		}
		return { child, ended: once(child, "close") };
	};
	/** The pids that were printed for a process, the newest last. */
	const pidsOf = (name: string) =>
		[...output.matchAll(new RegExp(`^${name} *\\| started, pid (\\d+)$`, "gm"))].map(match => Number(match[1]));
	const printed = (pattern: RegExp) =>
		eventually(() => assert.ok(pattern.test(output), `the last output:\n${output.slice(-3000)}`), `${pattern}`, READY_TIMEOUT_MS);
	const isHealthy = () =>
		eventually(
			async () => assert.equal((await fetch(`http://localhost:${ports.http}/health`)).status, 200),
			"/health to be 200",
			READY_TIMEOUT_MS
		);

	before(async () => {
		const first = await freePortRange(2 + names.length);
		ports = { http: first, grpc: first + 1, metrics: first + 2 };
		cluster = start();
	});
	after(async () => {
		cluster.child.kill("SIGTERM");
		await within(cluster.ended, STOP_TIMEOUT_MS, () => "the end of start:cluster");
	});

	test("prints its addresses when the system is ready, and each process serves metrics", async () => {
		await printed(new RegExp(`^Plaza is ready: http://localhost:${ports.http} .*gRPC at localhost:${ports.grpc}`, "m"));
		assert.equal((await fetch(`http://localhost:${ports.http}/health`)).status, 200);
		for (const [i, name] of names.entries()) {
			const metrics = await (await fetch(`http://localhost:${ports.metrics + i}/metrics`)).text();
			assert.ok(metrics.includes(`nodeID="${name}"`), `${name} has no metrics at ${ports.metrics + i}`);
		}
	});

	test("restarts a killed process and logs it", async () => {
		process.kill(pidsOf("wallet")[0]!, "SIGKILL");
		await printed(/^wallet +\| exited with SIGKILL, restarting in \d+ ms$/m);
		await eventually(() => assert.equal(pidsOf("wallet").length, 2), "a second wallet");
		await isHealthy();
	});

	test("stops every process and exits with 0 on Ctrl-C, also when it is pressed twice", async () => {
		cluster.child.kill("SIGINT");
		cluster.child.kill("SIGINT");
		const [code, signal] = await within(
			cluster.ended,
			STOP_TIMEOUT_MS,
			() => `the end; the last output:\n${output.slice(-3000)}`
		);
		assert.deepEqual({ code, signal }, { code: 0, signal: null }, output.slice(-3000));
		for (const pid of names.flatMap(pidsOf))
			assert.throws(() => process.kill(pid, 0), { code: "ESRCH" }, `pid ${pid} is still running`);
	});
});
