// Tests start:cluster as a user runs it, against running servers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./client.ts";
import { within } from "./process.ts";
import { processNames, READY_TIMEOUT_MS, STOP_TIMEOUT_MS, type StartedCluster, startCluster } from "./start-cluster.ts";

describe("start:cluster", { timeout: 2 * READY_TIMEOUT_MS + STOP_TIMEOUT_MS }, () => {
	let cluster: StartedCluster;
	const isHealthy = () =>
		eventually(
			async () => assert.equal((await fetch(`${cluster.url}/health`)).status, 200),
			"/health to be 200",
			READY_TIMEOUT_MS
		);

	before(async () => {
		cluster = await startCluster();
	});
	after(async () => {
		cluster?.child.kill("SIGTERM");
		await within(cluster.ended, STOP_TIMEOUT_MS, () => "the end of start:cluster");
	});

	test("prints its addresses when the system is ready, and each process serves metrics", async () => {
		const { http, grpc, metrics: firstMetricsPort } = cluster.ports;
		await cluster.printed(new RegExp(`^Plaza is ready: http://localhost:${http} .*gRPC at localhost:${grpc}`, "m"));
		assert.equal((await fetch(`${cluster.url}/health`)).status, 200);
		for (const [i, name] of processNames.entries()) {
			const metrics = await (await fetch(`http://localhost:${firstMetricsPort + i}/metrics`)).text();
			assert.ok(metrics.includes(`nodeID="${name}"`), `${name} has no metrics at ${firstMetricsPort + i}`);
		}
	});

	test("restarts a killed process and logs it", async () => {
		process.kill(cluster.pidsOf("wallet")[0]!, "SIGKILL");
		await cluster.printed(/^wallet +\| exited with SIGKILL, restarting in \d+ ms$/m);
		await eventually(() => assert.equal(cluster.pidsOf("wallet").length, 2), "a second wallet");
		await isHealthy();
	});

	test("stops every process and exits with 0 on Ctrl-C, also when it is pressed twice", async () => {
		cluster.child.kill("SIGINT");
		cluster.child.kill("SIGINT");
		const [code, signal] = await within(
			cluster.ended,
			STOP_TIMEOUT_MS,
			() => `the end; the last output:\n${cluster.output().slice(-3000)}`
		);
		assert.deepEqual({ code, signal }, { code: 0, signal: null }, cluster.output().slice(-3000));
		for (const pid of processNames.flatMap(cluster.pidsOf))
			assert.throws(() => process.kill(pid, 0), { code: "ESRCH" }, `pid ${pid} is still running`);
	});
});
