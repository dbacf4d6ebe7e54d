// Starts a baseline server in its own process, which reports its port once it listens.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Baseline {
	pid: number;
	/** 0 if it has none. */
	port: number;
	/** Sends a message to the process and waits for its answer. */
	ask(question: unknown): Promise<unknown>;
	stop(): Promise<void>;
}

/** `file`: in this folder; it reports its port by `process.send`. */
export async function startBaseline(file: string, env: Record<string, string> = {}, execArgv: string[] = []): Promise<Baseline> {
	const child: ChildProcess = fork(join(import.meta.dirname, file), { env: { ...process.env, ...env }, execArgv });
	const exit = once(child, "exit");
	const failed = exit.then(([code, signal]) => {
		throw new Error(`${file} ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const nextMessage = async () => ((await Promise.race([once(child, "message"), failed])) as [unknown])[0];
	const port = (await nextMessage()) as number;
	return {
		pid: child.pid!,
		port,
		ask(question) {
			child.send(question as object);
			return nextMessage();
		},
		async stop() {
			child.kill("SIGKILL");
			await exit;
		}
	};
}
