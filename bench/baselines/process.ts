// A baseline that is a server: a process of its own, as Plaza is, which tells its port once it listens.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Baseline {
	pid: number;
	port: number;
	stop(): Promise<void>;
}

/** `file`: beside this one; it sends its port to its parent by `process.send`. */
export async function startBaseline(file: string, env: Record<string, string> = {}): Promise<Baseline> {
	const child: ChildProcess = fork(join(import.meta.dirname, file), { env: { ...process.env, ...env } });
	const exit = once(child, "exit");
	const failed = exit.then(([code, signal]) => {
		throw new Error(`${file} ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const [port] = (await Promise.race([once(child, "message"), failed])) as [number];
	return {
		pid: child.pid!,
		port,
		async stop() {
			child.kill("SIGKILL");
			await exit;
		}
	};
}
