// Runs start:cluster as a user runs it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { freePortRange } from "../infra/test-servers.ts";
import { layout } from "../runtime/cluster.ts";
import { eventually } from "./client.ts";

export const READY_TIMEOUT_MS = 120_000;
/** 12 s until SIGKILL, plus a margin for a busy machine. */
export const STOP_TIMEOUT_MS = 20_000;
export const processNames = Object.keys(layout);

/** Starts it with free ports; `env`: the addresses of the servers, if they are not those of this process's environment. */
export async function startCluster(env: Record<string, string> = {}) {
	const first = await freePortRange(2 + processNames.length);
	const ports = { http: first, grpc: first + 1, metrics: first + 2 };
	const child = spawn(process.execPath, ["runtime/cluster.ts"], {
		cwd: fileURLToPath(new URL("..", import.meta.url)),
		env: {
			...process.env,
			...env,
			HTTP_PORT: String(ports.http),
			GRPC_PORT: String(ports.grpc),
			METRICS_PORT: String(ports.metrics)
		},
		stdio: ["ignore", "pipe", "pipe"]
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr])
		stream.setEncoding("utf8").on("data", text => {
			output += text;
		});
	return {
		child,
		ports,
		url: `http://localhost:${ports.http}`,
		/** Resolves with the exit code and the signal once it has ended and all its output has arrived. */
		ended: once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
		output: () => output,
		/** The pids that were printed for a process, the newest last. */
		pidsOf: (name: string) =>
			[...output.matchAll(new RegExp(`^${name} *\\| started, pid (\\d+)$`, "gm"))].map(match => Number(match[1])),
		printed: (pattern: RegExp) =>
			eventually(
				() => assert.ok(pattern.test(output), `the last output:\n${output.slice(-3000)}`),
				`${pattern}`,
				READY_TIMEOUT_MS
			)
	};
}

export type StartedCluster = Awaited<ReturnType<typeof startCluster>>;
