// The real system as real processes, laid out as the compose file does it: one (embedded), or one a service and two gateways (cluster).
import { rm } from "node:fs/promises";
import { type Exit, freePorts, type SystemProcess, startProcess } from "./process.ts";
import { scratchDataDir } from "./scratch.ts";

export type Profile = "embedded" | "cluster";

export interface System {
	profile: Profile;
	/** Of the first gateway. */
	url: string;
	wsUrl: string;
	/** Of all gateways: a story that opens two tabs opens them on two nodes where there are two. */
	urls: string[];
	wsUrls: string[];
	grpc: string;
	metricsUrls: string[];
	selectionNames: string[];
	dataDir: string | undefined;
	processes: SystemProcess[];
	process(name: string): SystemProcess;
	/** Waits until every process says that it is ready, and every gateway that all is well. */
	ready(withinMs?: number): Promise<void>;
	/** SIGTERM to all; fails where one does not end with 0 in time. Deletes the data that it made. */
	stop(): Promise<void>;
	/** SIGKILL to all at once. */
	kill9(): Promise<void>;
	/** Starts all that has ended again, on the same data and ports, and waits until it is ready. */
	restart(): Promise<void>;
	/** What all processes have written. */
	logs(): string;
}

const READY_WITHIN_MS = 120_000;
/** The contract gives 10 s; the rest is for a machine that is busy with other things. */
const STOP_WITHIN_MS = 12_000;

/** Names that stories may count on for themselves, so that tests which run at the same time do not count each other's picks. */
const ownNames = Array.from({ length: 60 }, (_, n) => `own-${n + 1}`);
/** What `settled` picks. */
export const BARRIER_NAME = "barrier";
let ownNamesTaken = 0;
/** A selection name that no other test of this test process uses. */
export function ownName(): string {
	const name = ownNames[ownNamesTaken++];
	if (!name) throw new Error("more tests than names of their own: raise the number in test/system.ts");
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
		users: "users",
		wallet: "wallet"
	}
};

/** Where the servers of the cluster profile are: the contract's variables of the test process, where they are set. */
export const servers = () => {
	const names = ["KAFKA_BROKERS", "CASSANDRA_CONTACT_POINTS", "DATABASE_URL", "REDIS_URL"];
	return Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])));
};

async function lookAt(url: string): Promise<string> {
	try {
		const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
		return response.status === 200 ? "ok" : `${response.status} ${(await response.text()).slice(0, 500)}`;
	} catch (error) {
		return `${(error as Error & { cause?: Error }).cause?.message ?? (error as Error).message}`;
	}
}

/** Waits until all these addresses answer 200; says which did not, what they said, and the last words of the processes. */
async function answered(urls: string[], processes: SystemProcess[], withinMs: number): Promise<void> {
	const deadline = Date.now() + withinMs;
	for (;;) {
		const looks = await Promise.all(urls.map(async url => ({ url, look: await lookAt(url) })));
		const waiting = looks.filter(({ look }) => look !== "ok");
		if (waiting.length === 0) return;
		const gone = processes.find(({ ended }) => ended);
		if (gone || Date.now() > deadline) {
			const words = processes.map(
				one => `--- ${one.name}${one.ended ? ` (ended: ${JSON.stringify(one.ended)})` : ""}\n${one.output().slice(-2000)}`
			);
			const why = gone ? `${gone.name} ended while waiting` : `waited ${withinMs} ms`;
			throw new Error(`${why} for ${waiting.map(({ url, look }) => `${url} (${look})`).join(", ")}\n${words.join("\n")}`);
		}
		await new Promise(resolve => setTimeout(resolve, 100));
	}
}

export interface SystemOptions {
	profile: Profile;
	/** Added to every process's environment. */
	env?: Record<string, string>;
	/** Processes of a cluster and the services that each runs. Default: one a service, and two gateways. */
	layout?: Record<string, string>;
	/** Where an embedded system keeps everything. Default: a fresh directory with an empty database in it, which `stop` deletes. */
	dataDir?: string;
	/** False: answers at once, with processes that may not be ready for long. */
	waitUntilReady?: boolean;
}

export async function startSystem(options: SystemOptions): Promise<System> {
	const { profile, env = {}, dataDir, waitUntilReady = true } = options;
	const layout = Object.entries(options.layout ?? layouts[profile]);
	const made = profile === "embedded" && !dataDir ? await scratchDataDir() : undefined;
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
		profile === "embedded" ? { DATA_DIR: dataDir ?? (made as string) } : { HOST: "127.0.0.1", ...servers() };

	const nodes = layout.map(([name, services]) => {
		const [http, metrics] = [String(ports.pop()), String(ports.pop())];
		const own: Record<string, string> = { NODE_ID: name, HTTP_PORT: http, METRICS_PORT: metrics };
		if (services) own.SERVICES = services;
		const node: Record<string, string> = { ...common, ...data, ...own, ...env };
		const gateway = !services || services.includes("api") ? `http://127.0.0.1:${node.HTTP_PORT}` : undefined;
		const metricsUrl = node.METRICS_PORT === "0" ? undefined : `http://127.0.0.1:${node.METRICS_PORT}`;
		return { gateway, metricsUrl, process: startProcess(name, node) };
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
			answered([...metricsUrls.map(url => `${url}/health/ready`), ...urls.map(url => `${url}/health`)], processes, withinMs),
		async stop() {
			const ends = await Promise.all(running().map(async one => ({ one, exit: await one.kill("SIGTERM", STOP_WITHIN_MS) })));
			if (made) await rm(made, { recursive: true, force: true });
			for (const { one, exit } of ends) clean(one, exit);
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

const clean = (one: SystemProcess, { code, signal }: Exit) => {
	if (code !== 0)
		fail(`${one.name} ended with ${signal ?? code} on SIGTERM, not 0; its last output:\n${one.output().slice(-3000)}`);
};
