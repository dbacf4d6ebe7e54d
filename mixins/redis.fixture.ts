// A Redis server of a test's own, to be killed, held and brought back. Wants redis-server on the PATH.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../test/process.ts";

export interface RedisServer {
	url: string;
	/** With what it had dumped when it was last told to (`SAVE`), or nothing. */
	start(): void;
	/** SIGKILL: what was not dumped is lost. */
	kill(): Promise<void>;
	/** Holds it still, or lets it go on. */
	signal(signal: "SIGSTOP" | "SIGCONT"): void;
	/** Ends it and deletes its dump. */
	remove(): Promise<void>;
}

/** It runs when this resolves, but may take a moment to answer. It writes nothing to disk unless it is told to. */
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
		const dying = child;
		child = undefined;
		if (!dying || dying.exitCode !== null || dying.signalCode !== null) return;
		dying.kill("SIGKILL");
		await once(dying, "exit");
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
