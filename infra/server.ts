// Starts, stops and kills a native server. The pid file identifies its process; it counts as up when it answers a client.
import { spawn } from "node:child_process";
import { chmodSync, closeSync, fchmodSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Tool } from "./install.ts";
import { dataDir } from "./settings.ts";

const READY_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 60_000;

export interface Command {
	file: string;
	args: string[];
	/** The user and group of the process, if they differ from those of this process. */
	uid?: number;
	gid?: number;
}

export interface Server {
	name: string;
	port: number;
	tools: Tool[];
	/** Maven coordinates, the server's own artifact first. */
	jars?: readonly string[];
	/** Prepares the data directory. Resolves to the command that starts the server. */
	prepare(dir: string): Promise<Command>;
	/** Resolves if the server answers a client; otherwise rejects within seconds. */
	ready(): Promise<void>;
	/** The signal that stops the server after it has completed its requests. Default SIGTERM. */
	stopSignal?: NodeJS.Signals;
	/** Removes the data that `prepare` stores outside of the data directory. */
	wipe?(dir: string): void;
}

const dirOf = (server: Server) => join(dataDir, server.name);
const pidFileOf = (server: Server) => join(dirOf(server), "pid");
const logOf = (server: Server) => join(dirOf(server), "server.log");

export function read(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return undefined;
	}
}

/** Undefined if there is no such process; empty if it has ended and is not reaped yet. */
export const commandLineOf = (pid: number) => read(`/proc/${pid}/cmdline`);

/** The pid of the running server. The system reuses pids: compare the command line with that of the start. */
function pidOf(server: Server): number | undefined {
	const [pid, commandLine] = read(pidFileOf(server))?.split("\n") ?? [];
	return pid && commandLine && commandLineOf(Number(pid)) === commandLine ? Number(pid) : undefined;
}

/** The last line of the log that looks like an error, otherwise the last line. */
function lastErrorOf(server: Server): string {
	const lines = (read(logOf(server)) ?? "").split("\n").filter(line => line.trim() !== "");
	const line = lines.findLast(line => /error|fatal|exception|denied|in use/i.test(line) && !/^\s+at /.test(line)) ?? lines.at(-1);
	return line?.trim().slice(0, 300) ?? "the log is empty";
}

const isTaken = (port: number) =>
	new Promise<boolean>(resolve => {
		const socket = connect(port, "127.0.0.1");
		socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
		socket.once("connect", () => socket.destroy());
	});

async function waitUntilReady(server: Server): Promise<void> {
	const deadline = Date.now() + READY_TIMEOUT_MS;
	for (;;) {
		const failed = await server.ready().then(
			() => undefined,
			error => String(error)
		);
		if (failed === undefined) return;
		if (!pidOf(server)) throw new Error(`ended before it was ready; log ${logOf(server)}: ${lastErrorOf(server)}`);
		if (Date.now() > deadline) {
			await kill(server);
			throw new Error(`not ready after ${READY_TIMEOUT_MS / 1000} s (${failed}); log ${logOf(server)}: ${lastErrorOf(server)}`);
		}
		await sleep(100);
	}
}

/** Starts a server unless it runs, and waits until it is ready. Resolves to a status line; the error names the log file and its last error. */
export async function start(server: Server): Promise<string> {
	const startedAtMs = performance.now();
	const running = pidOf(server);
	if (!running) {
		if (await isTaken(server.port))
			throw new Error(
				`port ${server.port} is taken by a process that infra did not start: stop it, or choose another port with the environment variables`
			);
		mkdirSync(dirOf(server), { recursive: true });
		// Other users of the machine must not read the data.
		chmodSync(dirOf(server), 0o700);
		const { file, args, ...user } = await server.prepare(dirOf(server));
		const log = openSync(logOf(server), "w");
		fchmodSync(log, 0o600);
		// A process group of its own, so that Ctrl-C in this terminal does not stop the server; `/` as directory, which every user may enter.
		const child = spawn(file, args, { cwd: "/", detached: true, stdio: ["ignore", log, log], ...user });
		child.once("error", () => {}); // A failed spawn is detected by the missing pid.
		closeSync(log);
		child.unref();
		if (!child.pid) throw new Error(`${file} cannot be started`);
		writeFileSync(pidFileOf(server), `${child.pid}\n${commandLineOf(child.pid)}\n`);
	}
	await waitUntilReady(server);
	const tookMs = Math.round(performance.now() - startedAtMs);
	return `${server.name.padEnd(9)} 127.0.0.1:${server.port}  pid ${pidOf(server)}  ${running ? "was running" : `ready in ${tookMs} ms`}`;
}

async function waitUntilGone(server: Server, timeoutMs: number): Promise<boolean> {
	const deadline = Date.now() + timeoutMs;
	while (pidOf(server)) {
		if (Date.now() > deadline) return false;
		await sleep(50);
	}
	rmSync(pidFileOf(server), { force: true });
	return true;
}

/** Stops a server gracefully; kills it if it does not end in time. */
export async function stop(server: Server): Promise<string> {
	const pid = pidOf(server);
	if (!pid) return `${server.name.padEnd(9)} not running`;
	// A frozen process does not handle SIGTERM.
	await thaw(server);
	process.kill(pid, server.stopSignal ?? "SIGTERM");
	if (await waitUntilGone(server, STOP_TIMEOUT_MS)) return `${server.name.padEnd(9)} stopped`;
	return `${await kill(server)}: it did not stop within ${STOP_TIMEOUT_MS / 1000} s`;
}

/** A server's pid and those of its child processes. */
const withChildren = (pid: number) => [
	pid,
	...(read(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter(Boolean).map(Number)
];

function send(name: NodeJS.Signals, pids: number[]): void {
	for (const pid of pids) {
		try {
			process.kill(pid, name);
		} catch (error) {
			// The child may have ended already.
			if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
		}
	}
}

const signal =
	(name: NodeJS.Signals, done: string) =>
	async (server: Server): Promise<string> => {
		const pid = pidOf(server);
		if (!pid) return `${server.name.padEnd(9)} not running`;
		send(name, withChildren(pid));
		return `${server.name.padEnd(9)} ${done}`;
	};

/** Freezes a server with all its connections open, like a process that hangs. */
export const freeze = signal("SIGSTOP", "frozen");
export const thaw = signal("SIGCONT", "resumed");

/** Kills a server and its child processes immediately, like a crash. */
export async function kill(server: Server): Promise<string> {
	const pid = pidOf(server);
	if (!pid) return `${server.name.padEnd(9)} not running`;
	send("SIGKILL", withChildren(pid));
	if (!(await waitUntilGone(server, STOP_TIMEOUT_MS)))
		throw new Error(`pid ${pid} still runs ${STOP_TIMEOUT_MS / 1000} s after SIGKILL`);
	return `${server.name.padEnd(9)} killed`;
}

/** Stops a server and removes its data. */
export async function wipe(server: Server): Promise<string> {
	await stop(server);
	server.wipe?.(dirOf(server));
	rmSync(dirOf(server), { recursive: true, force: true });
	return `${server.name.padEnd(9)} wiped`;
}
