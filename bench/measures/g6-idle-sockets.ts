import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { INSPECTED, inspect, type Memory } from "../../test/inspector.ts";
import { startBaseline } from "../baselines/process.ts";
import type { Measure, Round, Side } from "../measure.ts";
import { startPlaza, WORKERS } from "../plaza.ts";

const SOCKETS = 15_000;
const FEW_SOCKETS = 1_000;
/** Time after which the memory used for the handshakes is free. */
const SETTLE_MS = 1_000;

async function openAll(url: string, count: number): Promise<ChildProcess> {
	const process = fork(join(import.meta.dirname, "../idle.process.ts"), [url, String(count)]);
	const failed = once(process, "exit").then(([code, signal]) => {
		throw new Error(`the sockets ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	await Promise.race([once(process, "message"), failed]);
	return process;
}

/** The memory that `count` sockets take, per socket. */
async function perSocket(count: number, url: string, memory: () => Promise<Memory>): Promise<Round> {
	const before = await memory();
	const process = await openAll(url, count);
	try {
		await delay(SETTLE_MS);
		const after = await memory();
		const metrics = {
			usedBytes: (after.usedBytes - before.usedBytes) / count,
			rssBytes: (after.rssBytes - before.rssBytes) / count
		};
		return { operations: count, metrics };
	} finally {
		process.kill("SIGKILL");
	}
}

// A new process for each round: a process does not return freed memory to the system.
const ours = (count: number): Side => ({
	name: "Plaza",
	async round() {
		const plaza = await startPlaza({ gateway: "api,socket", worker: WORKERS }, INSPECTED);
		const gateway = await inspect(plaza.process("gateway"));
		try {
			return await perSocket(count, plaza.wsUrl, gateway.memory);
		} finally {
			gateway.close();
			await plaza.stop();
		}
	}
});

const bare = (count: number): Side => ({
	name: "bare ws",
	async round() {
		const server = await startBaseline("bare-ws.ts", {}, ["--expose-gc"]);
		try {
			return await perSocket(count, `ws://127.0.0.1:${server.port}`, () => server.ask("memory") as Promise<Memory>);
		} finally {
			await server.stop();
		}
	}
});

export const idleSockets: Measure = {
	id: "G6",
	title: `memory of an idle socket whose user is connected, of ${SOCKETS.toLocaleString("en")}: heap and buffers after a forced collection`,
	against: "bare ws without deflate, which knows no users",
	layout:
		"a gateway (api, socket), which is what is measured, and a worker with every other service; the clients in another process",
	targets: [{ metric: "usedBytes", most: 1.3 }],
	async open({ quick }) {
		const count = quick ? FEW_SOCKETS : SOCKETS;
		return { ours: ours(count), baseline: bare(count), close: async () => {} };
	}
};
