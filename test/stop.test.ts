// Stopping while the system starts, and when the process that started it has ended.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { eventually, httpClient } from "./client.ts";
import { freePorts, startProcess, within } from "./process.ts";
import { scratchDataDir } from "./scratch.ts";
import { processNames, startCluster } from "./start-cluster.ts";

const START_MS = 60_000;
/** Longer than the contract's 10 s: creating the database blocks the event loop, on a busy machine for longer than that. */
const STOP_MS = 60_000;
const dir = mkdtempSync(join(tmpdir(), "plaza-stop-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const isRunning = (pid: number) => {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
};

describe("SIGTERM during the first start", () => {
	const stopsWell = async (name: string, env: Record<string, string>, started: RegExp) => {
		const node = startProcess(name, { GRPC_PORT: "0", METRICS_PORT: "0", ...env });
		await node.waitForOutput(started, START_MS);
		assert.deepEqual(await node.kill("SIGTERM", STOP_MS), { code: 0, signal: null }, node.output());
		return node.output();
	};

	it("ends the embedded profile with 0 at any moment, without advice about other servers, and the next start succeeds", async () => {
		const [port] = await freePorts(1);
		const env = { DATA_DIR: join(dir, "first"), HTTP_PORT: String(port), GRPC_PORT: "0", METRICS_PORT: "0" };
		assert.doesNotMatch(await stopsWell("at once", env, /First start/), /KAFKA/);

		const node = startProcess("later", env);
		const { get } = httpClient(`http://127.0.0.1:${port}`);
		await eventually(async () => assert.equal((await get("/health/live")).status, 200), "the node to listen", START_MS);
		assert.deepEqual(await node.kill("SIGTERM", STOP_MS), { code: 0, signal: null }, node.output());
		assert.doesNotMatch(node.output(), /KAFKA/);

		await stopsWell("when it is ready", env, /Plaza is ready/);
		assert.ok(!existsSync(join(env.DATA_DIR, "lock")), "the data directory is still locked");
	});

	it("ends the cluster profile with 0 while it waits for Kafka", async () => {
		const [port, kafka] = await freePorts(2);
		const unreachable = { KAFKA_BROKERS: `127.0.0.1:${kafka}`, HTTP_PORT: String(port), HOST: "127.0.0.1" };
		await stopsWell("waiting", { PROFILE: "cluster", ...unreachable }, /does not answer/);
	});
});

describe("start:cluster that is killed", () => {
	it("leaves none of its processes behind, also while they wait for their servers", async () => {
		const [unreachable] = await freePorts(1);
		const cluster = await startCluster({ KAFKA_BROKERS: `127.0.0.1:${unreachable}`, HOST: "127.0.0.1" });
		const pids = () => processNames.flatMap(cluster.pidsOf);
		try {
			for (const name of processNames) await cluster.printed(new RegExp(`^${name} +\\| .*does not answer`, "m"));
			cluster.child.kill("SIGKILL");
			await eventually(() => assert.deepEqual(pids().filter(isRunning), []), "all processes to end", STOP_MS);
		} finally {
			for (const pid of [cluster.child.pid as number, ...pids()]) if (isRunning(pid)) process.kill(pid, "SIGKILL");
		}
	});
});

describe("a node that npm has started", () => {
	/** A shell that waits for the command instead of replacing itself by it, as some systems' shells do. */
	const waitingShell = join(dir, "sh");
	writeFileSync(waitingShell, '#!/bin/sh\n/bin/sh "$@"\nexit $?\n');
	chmodSync(waitingShell, 0o700);

	const start = async (DATA_DIR: string, shell?: string) => {
		const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
		const env = { PATH, HOME, TMPDIR, DATA_DIR, HTTP_PORT: "0", GRPC_PORT: "0", METRICS_PORT: "0" };
		const npm: ChildProcess = spawn("npm", ["start"], {
			cwd: join(import.meta.dirname, ".."),
			env: shell ? { ...env, npm_config_script_shell: shell } : env,
			// A process group of its own: only npm gets the signal, as from a supervisor.
			detached: true,
			stdio: ["ignore", "pipe", "pipe"]
		});
		let output = "";
		for (const stream of [npm.stdout!, npm.stderr!])
			stream.setEncoding("utf8").on("data", text => {
				output += text;
			});
		const lock = join(DATA_DIR, "lock");
		await eventually(() => assert.match(output, /Plaza is ready/), "npm start to be ready", START_MS);
		return { npm, lock, pid: Number(readFileSync(lock, "utf8").split(" ")[0]), output: () => output };
	};

	for (const [signal, shell] of [
		["SIGKILL", undefined],
		["SIGTERM", waitingShell],
		["SIGHUP", waitingShell],
		["SIGKILL", waitingShell]
	] as const)
		it(`stops and frees its data directory when npm alone gets ${signal}, ${shell ? "also with a shell between them" : "its parent"}`, async () => {
			const { npm, lock, pid, output } = await start(await sharedDataDir(), shell);
			try {
				const ended = once(npm, "exit");
				npm.kill(signal);
				await within(ended, STOP_MS, () => `npm to end; its output:\n${output().slice(-3000)}`);
				await eventually(() => assert.equal(isRunning(pid), false), `process ${pid} to end; its output:\n${output()}`, STOP_MS);
				assert.ok(!existsSync(lock), "it has not stopped gracefully: the data directory is still locked");
			} finally {
				for (const left of [npm.pid as number, pid]) if (isRunning(left)) process.kill(left, "SIGKILL");
			}
		});

	let created: Promise<string> | undefined;
	/** One directory for all tests: only the first start takes long. */
	const sharedDataDir = () => {
		created ??= scratchDataDir();
		return created;
	};
	after(async () => rmSync(await sharedDataDir(), { recursive: true, force: true }));
});
