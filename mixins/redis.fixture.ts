// A Redis server for one test, which can kill, suspend and restart it. Needs redis-server on the PATH.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../test/process.ts";

export interface RedisServer {
	url: string;
	/** Starts it with its last dump (`SAVE`), or empty. */
	start(): void;
	/** SIGKILL: what was not dumped is lost. */
	kill(): Promise<void>;
	/** Suspends it, or resumes it. */
	signal(signal: "SIGSTOP" | "SIGCONT"): void;
	/** Stops it and deletes its dump. */
	remove(): Promise<void>;
}

/** Resolves once the process has started; it may not answer yet. It writes to disk only on `SAVE`. */
export async function redisServer({ running = true } = {}): Promise<RedisServer> {
	const [port] = await freePorts(1);
	const directory = await mkdtemp(join(tmpdir(), "plaza-redis-"));
	let child: ChildProcess | undefined;
	const end = () => void child?.kill("SIGKILL");
	process.once("exit", end);

	const start = () => {
		child = spawn("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, "--save", ""], {
			stdio: "ignore"
		});
	};
	const kill = async () => {
		const killed = child;
		child = undefined;
		if (!killed || killed.exitCode !== null || killed.signalCode !== null) return;
		killed.kill("SIGKILL");
		await once(killed, "exit");
	};
	if (running) start();
	return {
		url: `redis://127.0.0.1:${port}`,
		start,
		kill,
		signal: signal => void child?.kill(signal),
		async remove() {
			await kill();
			process.off("exit", end);
			await rm(directory, { recursive: true, force: true });
		}
	};
}
