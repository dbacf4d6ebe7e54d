// Runs the cluster profile as local processes, as docker-compose.yml does with containers. Kafka, Cassandra, Postgres and Redis must be running.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { serviceNames } from "../services/contract.ts";
import { readConfig } from "./config.ts";
import { misspeltVariables } from "./misspelt-variables.ts";

/** Process name → its services. `socket` needs the HTTP server of `api`; every other service has its own process. */
export const layout: Record<string, string[]> = Object.fromEntries(
	serviceNames.filter(name => name !== "socket").map(name => [name, name === "api" ? ["api", "socket"] : [name]])
);

const STOP_TIMEOUT_MS = 12_000;
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
const WIDTH = Math.max(...Object.keys(layout).map(name => name.length));

const print = (name: string, line: string) => console.log(`${name.padEnd(WIDTH)} | ${line}`);

/** Starts a process and restarts it when it exits, with exponential backoff. Returns its `stop`, which resolves to whether the process exited with 0. */
function supervise(name: string, env: NodeJS.ProcessEnv) {
	let child: ChildProcess | undefined;
	let backoffMs = MIN_BACKOFF_MS;
	const stopping = new AbortController();

	const runOnce = async (): Promise<string | number> => {
		// Its own process group: Ctrl-C signals the whole group of the terminal, but stop() must send the only SIGTERM.
		child = spawn(process.execPath, ["runtime/start.ts"], {
			cwd: join(import.meta.dirname, ".."),
			env,
			detached: true,
			stdio: ["ignore", "pipe", "pipe"]
		});
		for (const input of [child.stdout!, child.stderr!]) createInterface({ input }).on("line", line => print(name, line));
		print(name, `started, pid ${child.pid}`);
		const [code, signal] = await once(child, "close");
		return signal ?? code;
	};

	/** Resolves with the exit code or the signal of the last run. */
	const ended = (async () => {
		for (;;) {
			const startedAtMs = Date.now();
			const end = await runOnce();
			if (stopping.signal.aborted) return end;
			if (Date.now() - startedAtMs > MAX_BACKOFF_MS) backoffMs = MIN_BACKOFF_MS;
			print(name, `exited with ${end}, restarting in ${backoffMs} ms`);
			await delay(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
			if (stopping.signal.aborted) return end;
			backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
		}
	})();

	return async function stop(): Promise<boolean> {
		stopping.abort();
		child?.kill("SIGTERM");
		const late = setTimeout(() => child?.kill("SIGKILL"), STOP_TIMEOUT_MS);
		const end = await ended;
		clearTimeout(late);
		if (end !== 0) print(name, `exited with ${end}`);
		return end === 0;
	};
}

async function waitUntilHealthy(url: string): Promise<void> {
	for (;;) {
		const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
		await response?.body?.cancel();
		if (response?.status === 200) return;
		await delay(200);
	}
}

async function run() {
	// Guests are on by default here, because this command is for local trials; GUESTS=off requires an account.
	const env: NodeJS.ProcessEnv = { GUESTS: "on", ...process.env, PROFILE: "cluster" };
	for (const [name, line] of misspeltVariables(env)) {
		console.warn(line);
		// Otherwise each process would print the line again.
		delete env[name];
	}
	const { host, httpPort, grpcPort, metricsPort } = readConfig(env);

	const stops = Object.entries(layout).map(([name, services], i) => {
		const METRICS_PORT = String(metricsPort === 0 ? 0 : metricsPort + i);
		return supervise(name, { ...env, SERVICES: services.join(), NODE_ID: name, METRICS_PORT });
	});

	let stopping = false;
	const stopAll = async () => {
		// A second Ctrl-C must not exit before all processes have stopped.
		if (stopping) return;
		stopping = true;
		const well = await Promise.all(stops.map(stop => stop()));
		process.exit(well.every(Boolean) ? 0 : 1);
	};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stopAll);

	const name = host === "0.0.0.0" ? "localhost" : host;
	const metrics = metricsPort === 0 ? "" : `, metrics at ports ${metricsPort} to ${metricsPort + stops.length - 1}`;
	await waitUntilHealthy(`http://${name}:${httpPort}/health`);
	console.log(`Plaza is ready: http://${name}:${httpPort} (page, API, /ws, /socket.io), gRPC at ${name}:${grpcPort}${metrics}`);
}

if (import.meta.main) await run();
