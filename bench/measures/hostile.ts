// Attacks a running Plaza (embedded, default settings) from one address, and measures the response times of another client, the victim:
// `npm run bench -- hostile`. Linux only.
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findAdminSocket } from "../../runtime/admin-socket.ts";
import { freePorts, type SystemProcess, startProcess } from "../../test/process.ts";
import { scratchDataDir } from "../../test/scratch.ts";
import { cpuUsOf } from "../cpu.ts";
import { percentile } from "../format.ts";
import type { Attack, Target } from "../hostile/attack.ts";
import { attacks } from "../hostile/attacks.ts";
import { type Experience, openVictim } from "../hostile/victim.ts";

export interface HostileOptions {
	/** Names of attacks; empty: all. */
	names: string[];
	/** How long each attack lasts. */
	attackMs: number;
	/** The folder of the Plaza that is attacked: this one, or an older one for comparison. */
	system: string;
}

export const attackNames = attacks.map(({ name }) => name);

const ATTACKER = "127.0.0.2";
const READY_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 20_000;
/** The first requests of a process are slow: code is not compiled yet. */
const WARM_UP_MS = 3_000;
/** The factor by which the victim's p99 may grow, and the factor when all processors are busy. */
const TARGET = 2;
const BUSY_TARGET = 3;
/** From this share of busy processors on, all count as busy. */
const BUSY_SHARE = 0.9;
const MEMORY_TARGET_MB = 64;
const SAMPLE_MS = 200;

async function waitUntilReady(url: string, process: SystemProcess) {
	const deadline = performance.now() + READY_WITHIN_MS;
	while (performance.now() < deadline && !process.ended) {
		const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
		await response?.body?.cancel();
		if (response?.status === 200) return;
		await delay(200);
	}
	throw new Error(
		`waited ${READY_WITHIN_MS} ms for ${url}/health to answer 200; the last output:\n${process.output().slice(-2_000)}`
	);
}

/** Creates a product whose stock does not run out. Returns its id. */
async function createProduct(dataDir: string): Promise<string> {
	const call = await findAdminSocket(dataDir);
	if (!call) throw new Error("the attacked Plaza has no admin socket");
	const product = { name: "Olive oil", description: "Green", price: 0.01, sku: randomUUID(), stock: 1_000_000_000 };
	return ((await call("products.create", product)) as { productId: string }).productId;
}

async function startAttackedSystem(system: string) {
	const dataDir = await scratchDataDir();
	const [http, grpc, metrics] = (await freePorts(3)) as [number, number, number];
	const env = { DATA_DIR: dataDir, HTTP_PORT: String(http), GRPC_PORT: String(grpc), METRICS_PORT: String(metrics) };
	const file = existsSync(join(system, "runtime/start.mjs")) ? "runtime/start.mjs" : "runtime/start.ts";
	const process = startProcess("plaza", env, { cwd: system, file });
	const stop = async () => {
		if (!process.ended) await process.kill("SIGTERM", STOP_WITHIN_MS).catch(() => {});
		await rm(dataDir, { recursive: true, force: true });
	};
	const url = `http://127.0.0.1:${http}`;
	try {
		await waitUntilReady(url, process);
		const target: Target = { url, grpcPort: grpc, from: ATTACKER, productId: await createProduct(dataDir) };
		return { process, target, stop };
	} catch (error) {
		await stop();
		throw error;
	}
}

/** The resident memory of a process; 0 if it has ended. */
function memoryMB(pid: number): number {
	const file = `/proc/${pid}/status`;
	if (!existsSync(file)) return 0;
	return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0) / 1024;
}

/** The highest memory until `stop`. */
function watchMemory(pid: number) {
	let peakMB = memoryMB(pid);
	const timer = setInterval(() => {
		peakMB = Math.max(peakMB, memoryMB(pid));
	}, SAMPLE_MS);
	return () => {
		clearInterval(timer);
		return Math.max(peakMB, memoryMB(pid));
	};
}

/** Returns a function for the number of processors that all programs of the machine have kept busy since now. */
function watchProcessors() {
	const busyMs = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
	const [startMs, startBusyMs] = [performance.now(), busyMs()];
	return () => (busyMs() - startBusyMs) / (performance.now() - startMs);
}

/** Starts the attack; `ended` resolves with the counted outcomes. */
function startAttack({ name }: Attack, ms: number, target: Target) {
	const args = [name, String(ms), JSON.stringify(target)];
	const child = fork(join(import.meta.dirname, "../hostile/attacker.process.ts"), args);
	let counts: Record<string, number> = { "the attacker ended without a result": 1 };
	child.on("message", message => {
		counts = message as typeof counts;
	});
	return { pid: child.pid!, kill: () => child.kill("SIGKILL"), ended: once(child, "exit").then(() => counts) };
}

const ms = (value: number) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1));
const p = ({ latenciesMs }: Experience, share: number) => percentile(latenciesMs, share);
const listed = (counts: Record<string, number>) =>
	Object.entries(counts)
		.sort(([, one], [, other]) => other - one)
		.map(([outcome, count]) => `${outcome}: ${count.toLocaleString("en")}`)
		.join(", ") || "none";

async function runAttack(attack: Attack, { attackMs, system }: HostileOptions): Promise<string[]> {
	const { process: plaza, target, stop } = await startAttackedSystem(system);
	try {
		const victim = await openVictim(target, attack.victim ?? "requests");
		await victim.act(WARM_UP_MS);
		const startMB = memoryMB(plaza.pid);
		const peakBeforeMB = watchMemory(plaza.pid);
		const before = await victim.act(attackMs / 2);
		const usualMB = peakBeforeMB() - startMB;
		const memoryBeforeMB = memoryMB(plaza.pid);
		const peakMB = watchMemory(plaza.pid);
		const busy = watchProcessors();
		const usedUs = cpuUsOf([plaza.pid]);
		const startMs = performance.now();
		const attacker = startAttack(attack, attackMs, target);
		const [during, outcomes] = await Promise.all([victim.act(attackMs), attacker.ended]).finally(attacker.kill);
		const [processors, busyProcessors] = [cpus().length, busy()];
		const ofPlaza = Math.max(0, cpuUsOf([plaza.pid]) - usedUs) / 1_000 / (performance.now() - startMs);
		const grownMB = peakMB() - memoryBeforeMB;
		const [ratio, most] = [p(during, 0.99) / p(before, 0.99), busyProcessors > BUSY_SHARE * processors ? BUSY_TARGET : TARGET];
		const holds = (isKept: boolean) => (isKept ? "holds" : "MISSED");
		return [
			`${attack.name}: ${attack.what}`,
			`  victim: p50 ${ms(p(before, 0.5))} -> ${ms(p(during, 0.5))} ms, p99 ${ms(p(before, 0.99))} -> ${ms(p(during, 0.99))} ms (${ratio.toFixed(1)}x), target <= ${most}x${most === BUSY_TARGET ? " (all processors busy)" : ""}: ${holds(ratio <= most)}`,
			`  victim's requests without the expected answer: before ${listed(before.failures)}; during ${listed(during.failures)}`,
			`  attacker: ${listed(outcomes)}`,
			`  memory: ${Math.round(memoryBeforeMB)} MB, grew by up to ${Math.round(grownMB)} MB (before the attack: ${Math.round(usualMB)} MB), target <= ${MEMORY_TARGET_MB} MB: ${holds(grownMB <= MEMORY_TARGET_MB)}`,
			`  processors: ${busyProcessors.toFixed(1)} of ${processors} busy, ${ofPlaza.toFixed(1)} by Plaza, the others by the attacker, the victim and other work`,
			`  the process ${plaza.ended ? `ENDED with ${plaza.ended.signal ?? plaza.ended.code}: ${plaza.output().trim().split("\n").at(-1)}` : "still runs"}`
		];
	} finally {
		await stop();
	}
}

/** Runs the attacks one after the other, each against a newly started Plaza, and prints the results of each. */
export async function runHostile(options: HostileOptions): Promise<void> {
	const chosen = attacks.filter(({ name }) => options.names.length === 0 || options.names.includes(name));
	for (const attack of chosen) for (const line of await runAttack(attack, options)) console.log(line);
}
