// A baseline that is a server: a process of its own, as Plaza is, which tells its port once it listens.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Baseline {
	pid: number;
	/** 0 where it has none. */
	port: number;
	/** Sends it a message and waits for the one that answers it. */
	ask(question: unknown): Promise<unknown>;
	stop(): Promise<void>;
}

/** `file`: beside this one; it sends its port to its parent by `process.send`. */
export async function startBaseline(file: string, env: Record<string, string> = {}, execArgv: string[] = []): Promise<Baseline> {
	const child: ChildProcess = fork(join(import.meta.dirname, file), { env: { ...process.env, ...env }, execArgv });
	const exit = once(child, "exit");
	const failed = exit.then(([code, signal]) => {
		throw new Error(`${file} ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const heard = async () => ((await Promise.race([once(child, "message"), failed])) as [unknown])[0];
	const port = (await heard()) as number;
	return {
		pid: child.pid!,
		port,
		ask(question) {
			child.send(question as object);
			return heard();
		},
		async stop() {
			child.kill("SIGKILL");
			await exit;
		}
	};
}
