// Starts the real system as processes, in the layout of the compose file: one process (embedded), or one per service and two gateways (cluster).
import { rm } from "node:fs/promises";
import { type Exit, freePorts, type SystemProcess, startProcess } from "./process.ts";
import { scratchDataDir } from "./scratch.ts";

export type Profile = "embedded" | "cluster";

export interface System {
	profile: Profile;
	/** The URL of the first gateway. */
	url: string;
	wsUrl: string;
	/** The URLs of all gateways; in the cluster profile a story with two tabs opens them on two nodes. */
	urls: string[];
	wsUrls: string[];
	grpc: string;
	metricsUrls: string[];
	selectionNames: string[];
	dataDir: string | undefined;
	processes: SystemProcess[];
	process(name: string): SystemProcess;
	/** Waits until every process is ready and every gateway reports that the whole system is healthy. */
	ready(withinMs?: number): Promise<void>;
	/** Sends SIGTERM to all; fails if one does not exit with 0 in time. Deletes the data directory that `startSystem` created. */
	stop(): Promise<void>;
	/** Sends SIGKILL to all processes at once. */
	kill9(): Promise<void>;
	/** Restarts all ended processes on the same data and ports, and waits until the system is ready. */
	restart(): Promise<void>;
	/** The output of all processes. */
	logs(): string;
}

const READY_WITHIN_MS = 120_000;
/** The contract's 10 s, plus a margin for a busy machine. */
const STOP_WITHIN_MS = 12_000;

/** Selection names for exclusive use by one test, so that concurrent tests do not count each other's picks. */
const ownNames = Array.from({ length: 60 }, (_, n) => `own-${n + 1}`);
/** The name that `waitUntilCounted` picks. */
export const BARRIER_NAME = "barrier";
let ownNamesTaken = 0;
/** A selection name that no other test of this test process uses. */
export function ownName(): string {
	const name = ownNames[ownNamesTaken++];
	if (!name) throw new Error("more tests than exclusive selection names: increase the number in test/system.ts");
	return name;
}

const layouts: Record<Profile, Record<string, string | undefined>> = {
	embedded: { plaza: undefined },
	cluster: {
		"gateway-1": "api,socket",
		"gateway-2": "api,socket",
		selections: "selections",
		summary: "summary",
		sync: "sync",
		products: "products",
		inventory: "inventory",
		orders: "orders",
		payment: "payment",
		purchase: "purchase",
		seats: "seats",
		users: "users",
		wallet: "wallet"
	}
};

/** The contract's variables with the addresses of the cluster's servers, as far as they are set in the test process. */
export const servers = () => {
	const names = ["KAFKA_BROKERS", "CASSANDRA_CONTACT_POINTS", "DATABASE_URL", "REDIS_URL"];
	return Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])));
};

async function statusOf(url: string): Promise<string> {
	try {
		const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
		return response.status === 200 ? "ok" : `${response.status} ${(await response.text()).slice(0, 500)}`;
	} catch (error) {
		return `${(error as Error & { cause?: Error }).cause?.message ?? (error as Error).message}`;
	}
}

/** Waits until all URLs answer 200; the error names the failing URLs, their answers, and the last output of the processes. */
async function waitUntilHealthy(urls: string[], processes: SystemProcess[], withinMs: number): Promise<void> {
	const deadline = Date.now() + withinMs;
	for (;;) {
		const statuses = await Promise.all(urls.map(async url => ({ url, status: await statusOf(url) })));
		const waiting = statuses.filter(({ status }) => status !== "ok");
		if (waiting.length === 0) return;
		const endedProcess = processes.find(({ ended }) => ended);
		if (endedProcess || Date.now() > deadline) {
			const outputs = processes.map(
				one => `--- ${one.name}${one.ended ? ` (ended: ${JSON.stringify(one.ended)})` : ""}\n${one.output().slice(-2000)}`
			);
			const why = endedProcess ? `${endedProcess.name} ended while waiting` : `waited ${withinMs} ms`;
			throw new Error(`${why} for ${waiting.map(({ url, status }) => `${url} (${status})`).join(", ")}\n${outputs.join("\n")}`);
		}
		await new Promise(resolve => setTimeout(resolve, 100));
	}
}

export interface SystemOptions {
	profile: Profile;
	/** Added to every process's environment. */
	env?: Record<string, string>;
	/** The processes of a cluster and their services. Default: one per service, and two gateways. */
	layout?: Record<string, string>;
	/** The data directory of an embedded system. Default: a new directory with an empty database, which `stop` deletes. */
	dataDir?: string;
	/** False: return at once, possibly before the processes are ready. */
	waitUntilReady?: boolean;
	/** The checkout that runs. Default: this one. */
	folder?: string;
}

export async function startSystem(options: SystemOptions): Promise<System> {
	const { profile, env = {}, dataDir, waitUntilReady = true, folder } = options;
	const layout = Object.entries(options.layout ?? layouts[profile]);
	const createdDir = profile === "embedded" && !dataDir ? await scratchDataDir() : undefined;
	const ports = await freePorts(layout.length * 2 + 1);
	const grpcPort = String(ports.pop());
	const selectionNames = env.SELECTION_NAMES?.split(",") ?? ["a", "b", "c", "d", BARRIER_NAME, ...ownNames];
	const common: Record<string, string> = {
		PROFILE: profile,
		GUESTS: "on",
		GRPC_PORT: grpcPort,
		SELECTION_NAMES: selectionNames.join()
	};
	const data: Record<string, string> =
		profile === "embedded" ? { DATA_DIR: dataDir ?? (createdDir as string) } : { HOST: "127.0.0.1", ...servers() };

	const nodes = layout.map(([name, services]) => {
		const [http, metrics] = [String(ports.pop()), String(ports.pop())];
		const own: Record<string, string> = { NODE_ID: name, HTTP_PORT: http, METRICS_PORT: metrics };
		if (services) own.SERVICES = services;
		const node: Record<string, string> = { ...common, ...data, ...own, ...env };
		const gateway = !services || services.includes("api") ? `http://127.0.0.1:${node.HTTP_PORT}` : undefined;
		const metricsUrl = node.METRICS_PORT === "0" ? undefined : `http://127.0.0.1:${node.METRICS_PORT}`;
		return { gateway, metricsUrl, process: startProcess(name, node, { cwd: folder }) };
	});

	const processes = nodes.map(node => node.process);
	const urls = nodes.flatMap(({ gateway }) => gateway ?? []);
	const metricsUrls = nodes.flatMap(({ metricsUrl }) => metricsUrl ?? []);
	const running = () => processes.filter(({ ended }) => !ended);

	const system: System = {
		profile,
		urls,
		url: urls[0] as string,
		wsUrls: urls.map(url => `${url.replace("http:", "ws:")}/ws`),
		wsUrl: `${(urls[0] as string).replace("http:", "ws:")}/ws`,
		grpc: `127.0.0.1:${grpcPort}`,
		metricsUrls,
		selectionNames,
		dataDir: data.DATA_DIR,
		processes,
		process: name => processes.find(one => one.name === name) ?? fail(`no process ${name}`),
		ready: (withinMs = READY_WITHIN_MS) =>
			waitUntilHealthy(
				[...metricsUrls.map(url => `${url}/health/ready`), ...urls.map(url => `${url}/health`)],
				processes,
				withinMs
			),
		async stop() {
			const ends = await Promise.all(running().map(async one => ({ one, exit: await one.kill("SIGTERM", STOP_WITHIN_MS) })));
			if (createdDir) await rm(createdDir, { recursive: true, force: true });
			for (const { one, exit } of ends) assertCleanExit(one, exit);
		},
		async kill9() {
			await Promise.all(running().map(one => one.kill("SIGKILL")));
		},
		async restart() {
			for (const one of processes) if (one.ended) one.start();
			await system.ready();
		},
		logs: () => processes.map(one => `--- ${one.name}\n${one.output()}`).join("\n")
	};
	try {
		if (waitUntilReady) await system.ready();
	} catch (error) {
		await system.kill9();
		throw error;
	}
	return system;
}

const fail = (message: string): never => {
	throw new Error(message);
};

const assertCleanExit = (one: SystemProcess, { code, signal }: Exit) => {
	if (code !== 0)
		fail(`${one.name} ended with ${signal ?? code} on SIGTERM, not 0; its last output:\n${one.output().slice(-3000)}`);
};
