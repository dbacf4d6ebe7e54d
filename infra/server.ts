// The life of a server that runs natively: a process of its own, known by its pid file, that counts as up once it answers.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
	/** Whom it runs as, where that is somebody else. */
	uid?: number;
	gid?: number;
}

export interface Server {
	name: string;
	port: number;
	tools: Tool[];
	/** What it runs from, as Maven's coordinates: its own first. */
	jars?: readonly string[];
	/** Makes the data directory ready for a start and answers how to start. */
	prepare(dir: string): Promise<Command>;
	/** Resolves once a client is served; rejects, within seconds, as long as none is. */
	ready(): Promise<void>;
	/** What it takes for a request to end in good order. Default SIGTERM. */
	stopSignal?: NodeJS.Signals;
	/** Removes what `prepare` keeps outside of the data directory. */
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

/** Undefined where there is no such process; empty for one that has ended and waits to be reaped. */
export const commandLineOf = (pid: number) => read(`/proc/${pid}/cmdline`);

/** The running server's pid. Pids come back: it is ours only with the command line that we started it with. */
function pidOf(server: Server): number | undefined {
	const [pid, commandLine] = read(pidFileOf(server))?.split("\n") ?? [];
	return pid && commandLine && commandLineOf(Number(pid)) === commandLine ? Number(pid) : undefined;
}

/** The last thing in the log that tells of a failure. */
function reason(server: Server): string {
	const lines = (read(logOf(server)) ?? "").split("\n").filter(line => line.trim() !== "");
	const line = lines.findLast(line => /error|fatal|exception|denied|in use/i.test(line) && !/^\s+at /.test(line)) ?? lines.at(-1);
	return line?.trim().slice(0, 300) ?? "it said nothing";
}

const isTaken = (port: number) =>
	new Promise<boolean>(resolve => {
		const socket = connect(port, "127.0.0.1");
		socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
		socket.once("connect", () => socket.destroy());
	});

async function untilReady(server: Server): Promise<void> {
	const deadline = Date.now() + READY_TIMEOUT_MS;
	for (;;) {
		const failed = await server.ready().then(
			() => undefined,
			error => String(error)
		);
		if (failed === undefined) return;
		if (!pidOf(server)) throw new Error(`ended before it was ready; log ${logOf(server)}: ${reason(server)}`);
		if (Date.now() > deadline) {
			await kill(server);
			throw new Error(`not ready after ${READY_TIMEOUT_MS / 1000} s (${failed}); log ${logOf(server)}: ${reason(server)}`);
		}
		await sleep(100);
	}
}

/** Starts a server unless it runs, and waits until it serves. Answers its line; throws what went wrong, with the log's place and reason. */
export async function start(server: Server): Promise<string> {
	const startedAtMs = performance.now();
	const running = pidOf(server);
	if (!running) {
		if (await isTaken(server.port))
			throw new Error(
				`port ${server.port} is taken by a process that was not started from here: stop it, or choose another port by environment`
			);
		mkdirSync(dirOf(server), { recursive: true });
		const { file, args, ...user } = await server.prepare(dirOf(server));
		const log = openSync(logOf(server), "w");
		// Its own process group: Ctrl-C in this terminal is not meant for it. The root directory: everybody may be there.
		const child = spawn(file, args, { cwd: "/", detached: true, stdio: ["ignore", log, log], ...user });
		child.once("error", () => {}); // Told by the pid that is missing.
		closeSync(log);
		child.unref();
		if (!child.pid) throw new Error(`${file} cannot be started`);
		writeFileSync(pidFileOf(server), `${child.pid}\n${commandLineOf(child.pid)}\n`);
	}
	await untilReady(server);
	const tookMs = Math.round(performance.now() - startedAtMs);
	return `${server.name.padEnd(9)} 127.0.0.1:${server.port}  pid ${pidOf(server)}  ${running ? "was running" : `ready in ${tookMs} ms`}`;
}

async function untilGone(server: Server, timeoutMs: number): Promise<boolean> {
	const deadline = Date.now() + timeoutMs;
	while (pidOf(server)) {
		if (Date.now() > deadline) return false;
		await sleep(50);
	}
	rmSync(pidFileOf(server), { force: true });
	return true;
}

/** Stops a server in good order; one that does not end is killed. */
export async function stop(server: Server): Promise<string> {
	const pid = pidOf(server);
	if (!pid) return `${server.name.padEnd(9)} not running`;
	// One that is frozen would hear nothing.
	await thaw(server);
	process.kill(pid, server.stopSignal ?? "SIGTERM");
	if (await untilGone(server, STOP_TIMEOUT_MS)) return `${server.name.padEnd(9)} stopped`;
	return `${await kill(server)}: it had not stopped within ${STOP_TIMEOUT_MS / 1000} s`;
}

/** A server's pid and those of its child processes. */
const family = (pid: number) => [
	pid,
	...(read(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter(Boolean).map(Number)
];

function send(name: NodeJS.Signals, pids: number[]): void {
	for (const pid of pids) {
		try {
			process.kill(pid, name);
		} catch (error) {
			// A child may have ended by now.
			if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
		}
	}
}

const signal =
	(name: NodeJS.Signals, done: string) =>
	async (server: Server): Promise<string> => {
		const pid = pidOf(server);
		if (!pid) return `${server.name.padEnd(9)} not running`;
		send(name, family(pid));
		return `${server.name.padEnd(9)} ${done}`;
	};

/** Has a server stand still, with all its connections open, as one does that hangs. */
export const freeze = signal("SIGSTOP", "frozen");
export const thaw = signal("SIGCONT", "goes on");

/** Ends a server and its child processes at once, as a crash would. */
export async function kill(server: Server): Promise<string> {
	const pid = pidOf(server);
	if (!pid) return `${server.name.padEnd(9)} not running`;
	send("SIGKILL", family(pid));
	if (!(await untilGone(server, STOP_TIMEOUT_MS)))
		throw new Error(`pid ${pid} is still there ${STOP_TIMEOUT_MS / 1000} s after SIGKILL`);
	return `${server.name.padEnd(9)} killed`;
}

/** Stops a server and removes its data. */
export async function wipe(server: Server): Promise<string> {
	await stop(server);
	server.wipe?.(dirOf(server));
	rmSync(dirOf(server), { recursive: true, force: true });
	return `${server.name.padEnd(9)} wiped`;
}
