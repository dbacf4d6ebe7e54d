// Runs a process of the system under test: `node runtime/start.mjs` with its own environment. No process survives the test process.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";

const root = new URL("..", import.meta.url);
const KEPT_OUTPUT_CHARACTERS = 4_000_000;

export interface Exit {
	code: number | null;
	signal: NodeJS.Signals | null;
}

export interface SystemProcess {
	name: string;
	env: Record<string, string>;
	readonly pid: number;
	/** Sends the signal and waits until the process has ended. */
	kill(signal: NodeJS.Signals, withinMs?: number): Promise<Exit>;
	/** Starts the ended process again with the same environment; does not wait until it is ready. */
	start(): void;
	/** The exit code and signal; undefined while it runs. */
	readonly ended: Exit | undefined;
	/** Waits until the process has ended; kills it and rejects if that takes longer. */
	waitForExit(withinMs: number): Promise<Exit>;
	/** Its output on both streams since the first start; the oldest output may be dropped. */
	output(): string;
	/** Waits until its output since the last start matches. Resolves to the match. */
	waitForOutput(pattern: RegExp, withinMs: number): Promise<string>;
}

/** A helper process that kills all started processes when the test process ends in any way: then its standard input closes. */
const guardian = `
	const pids = new Set();
	process.on("SIGINT", () => {}).on("SIGTERM", () => {});
	require("node:readline").createInterface(process.stdin)
		.on("line", line => line[0] === "+" ? pids.add(+line.slice(1)) : pids.delete(+line.slice(1)))
		.on("close", () => { for (const pid of pids) try { process.kill(pid, "SIGKILL"); } catch {} });`;
let guard: ChildProcess | undefined;
const notifyGuard = (line: string) => {
	if (!guard) {
		guard = spawn(process.execPath, ["-e", guardian], { stdio: ["pipe", "ignore", "ignore"], detached: true });
		guard.unref();
		(guard.stdin as Socket).unref();
	}
	guard.stdin?.write(`${line}\n`);
};

/** Rejects after `timeoutMs` with an error that names what was awaited. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: () => string): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms for ${what()}`)), timeoutMs);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Starts a process, by default of Plaza. From the environment of this process it gets only the variables that locate programs and temporary files. */
export function startProcess(
	name: string,
	env: Record<string, string>,
	{ file = "runtime/start.mjs", cwd = root }: { file?: string; cwd?: string | URL } = {}
): SystemProcess {
	const { PATH = "", HOME = "", TMPDIR = "/tmp", SystemRoot = "" } = process.env;
	let child: ChildProcess;
	let ended: Exit | undefined;
	let exit: Promise<Exit>;
	let earlier = "";
	let output = "";

	const start = () => {
		ended = undefined;
		earlier = (earlier + output).slice(-KEPT_OUTPUT_CHARACTERS);
		output = "";
		const started = spawn(process.execPath, [file], {
			cwd,
			env: { PATH, HOME, TMPDIR, SystemRoot, ...env },
			stdio: ["ignore", "pipe", "pipe"]
		});
		child = started;
		notifyGuard(`+${started.pid}`);
		for (const stream of [started.stdout, started.stderr]) {
			stream.setEncoding("utf8").on("data", text => {
				output = (output + text).slice(-KEPT_OUTPUT_CHARACTERS);
			});
		}
		// "close" instead of "exit": it is emitted after all output has arrived.
		exit = once(started, "close").then(([code, signal]) => {
			notifyGuard(`-${started.pid}`);
			ended = { code, signal };
			return ended;
		});
	};

	const waitForExit = async (withinMs: number) => {
		try {
			return await within(exit, withinMs, () => `${name} to end; its last output:\n${output.slice(-3000)}`);
		} catch (error) {
			// A running child would keep the test process alive.
			child.kill("SIGKILL");
			throw error;
		}
	};
	start();
	return {
		name,
		env,
		get pid() {
			return child.pid as number;
		},
		get ended() {
			return ended;
		},
		start,
		waitForExit,
		kill(signal, withinMs = 15_000) {
			child.kill(signal);
			return waitForExit(withinMs);
		},
		output: () => earlier + output,
		async waitForOutput(pattern, withinMs) {
			const deadline = Date.now() + withinMs;
			for (;;) {
				const match = pattern.exec(output);
				if (match) return match[0];
				if (ended || Date.now() > deadline)
					throw new Error(
						`${name} ${ended ? "ended without printing" : `did not print within ${withinMs} ms:`} ${pattern}; its last output:\n${output.slice(-3000)}`
					);
				await new Promise(resolve => setTimeout(resolve, 50));
			}
		}
	};
}

/** Free ports, below the range that systems use for outgoing connections, so that they are still free after a restart. */
export async function freePorts(count: number): Promise<number[]> {
	const ports = new Set<number>();
	while (ports.size < count) {
		const port = 12_000 + Math.floor(Math.random() * 20_000);
		const server = createServer().listen(port);
		const free = await once(server, "listening").then(
			() => true,
			() => false
		);
		if (free) {
			server.close();
			await once(server, "close");
			ports.add(port);
		}
	}
	return [...ports];
}
