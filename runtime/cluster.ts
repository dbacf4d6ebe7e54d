// Runs the cluster profile as local processes, as docker-compose.yml does with containers. Kafka, Cassandra, Postgres and Redis must be running.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { serviceNames } from "../services/contract.ts";
import { readConfig } from "./config.ts";
import { printHelpIfAsked } from "./help.ts";
import { type HealthReport, problemsOf } from "./http/health-pages.ts";
import { misspeltVariables } from "./misspelt-variables.ts";
import { onParentGone } from "./parent.ts";

/** Process name → its services. `socket` needs the HTTP server of `api`; every other service has its own process. */
export const layout: Record<string, string[]> = Object.fromEntries(
	serviceNames.filter(name => name !== "socket").map(name => [name, name === "api" ? ["api", "socket"] : [name]])
);

const STOP_TIMEOUT_MS = 12_000;
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
const POLL_MS = 500;
const PROGRESS_EVERY_MS = 5_000;
const WIDTH = Math.max(...Object.keys(layout).map(name => name.length));

const print = (name: string, line: string) => console.log(`${name.padEnd(WIDTH)} | ${line}`);

/** Starts a process and restarts it when it exits, with exponential backoff. Returns its `stop`, which resolves to whether the process exited with 0. */
function supervise(name: string, env: NodeJS.ProcessEnv) {
	let child: ChildProcess | undefined;
	let backoffMs = MIN_BACKOFF_MS;
	const stopping = new AbortController();

	const runOnce = async (): Promise<string | number> => {
		// Its own process group: Ctrl-C signals the whole group of the terminal, but stop() must send the only SIGTERM. The channel ("ipc") closes when
		// this process ends, also when it is killed, and the node then stops by itself.
		child = spawn(process.execPath, ["runtime/start.mjs"], {
			cwd: join(import.meta.dirname, ".."),
			env,
			detached: true,
			stdio: ["ignore", "pipe", "pipe", "ipc"]
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
			// Its end is printed already, and nothing of it runs.
			if (stopping.signal.aborted) return 0;
			backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
		}
	})();

	return async function stop(): Promise<boolean> {
		stopping.abort();
		// Windows has no signals.
		if (process.platform === "win32") child?.disconnect();
		else child?.kill("SIGTERM");
		const late = setTimeout(() => child?.kill("SIGKILL"), STOP_TIMEOUT_MS);
		const end = await ended;
		clearTimeout(late);
		// SIGTERM: it had not started to handle signals yet.
		const isGood = end === 0 || end === "SIGTERM";
		if (!isGood) print(name, `exited with ${end}`);
		return isGood;
	};
}

/** Resolves once the health page answers 200; until then prints every few seconds which checks fail. */
async function waitUntilHealthy(url: string): Promise<void> {
	let printedAtMs = Date.now();
	for (;;) {
		const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
		const report = (await response?.json().catch(() => undefined)) as HealthReport | undefined;
		if (response?.status === 200) return;
		if (Date.now() - printedAtMs > PROGRESS_EVERY_MS) {
			printedAtMs = Date.now();
			console.log(report ? `waiting for ${problemsOf(report)}` : `waiting for ${url}`);
		}
		await delay(POLL_MS);
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
	const { host, httpPort, grpcPort, metricsPort, npmScript } = readConfig(env);

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
	void onParentGone(npmScript, stopAll);

	const name = host === "0.0.0.0" ? "localhost" : host;
	const metrics = metricsPort === 0 ? "" : `, metrics at ports ${metricsPort} to ${metricsPort + stops.length - 1}`;
	await waitUntilHealthy(`http://${name}:${httpPort}/health`);
	console.log(`Plaza is ready: http://${name}:${httpPort} (page, API, /ws, /socket.io), gRPC at ${name}:${grpcPort}${metrics}`);
}

if (import.meta.main) {
	printHelpIfAsked(`Starts the cluster profile as local processes, one for each service, and stops them all on Ctrl-C.

    npm run start:cluster

Kafka, Cassandra, Postgres and Redis must run: npm run infra:up starts them. The environment variables are those of npm start; METRICS_PORT is the
port of the first process, and each further one gets the next. GUESTS is on unless it is set.`);
	await run();
}
