/**
 * Detects that the process which started this one has ended. Otherwise this process would continue, and keep its ports and its data directory. A process
 * that npm did not start may continue after its parent has ended, as daemons do.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";

const CHECK_EVERY_MS = 1_000;
/** Read when this file is loaded: the earlier, the less likely the parent has ended already. */
const parentPid = process.ppid;
const isWindows = process.platform === "win32";
const SHELL = /(^|[/\\])((ba|da|z|k|a)?sh|cmd\.exe)$/i;

interface Process {
	parentPid: number;
	command: string;
}

/** Linux only. Throws if there is no such process. */
function stateOf(pid: number) {
	// `<pid> (<command>) <state> <parent> …`; the command may contain spaces and brackets.
	const stat = /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
	const [, command = "", state, parent] = stat;
	return { command, state, parentPid: Number(parent) };
}

/** A process that has ended keeps its id until its parent reads the exit status, which the first process of a container may never do. */
function isZombie(pid: number): boolean {
	if (process.platform !== "linux") return false;
	try {
		return stateOf(pid).state === "Z";
	} catch {
		return false;
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return !isZombie(pid);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}

/** The parent and the command of a process. Rejects if the system does not list it. */
async function describe(pid: number): Promise<Process> {
	if (process.platform === "linux") return stateOf(pid);
	const query = `Get-CimInstance Win32_Process -Filter "ProcessId=${pid}" | ForEach-Object { "$($_.ParentProcessId) $($_.Name)" }`;
	const { stdout } = isWindows
		? await promisify(execFile)("powershell", ["-NoProfile", "-NonInteractive", "-Command", query])
		: await promisify(execFile)("ps", ["-o", "ppid=,comm=", "-p", String(pid)]);
	const [, parent, command = ""] = /^\s*(\d+)\s+(.*?)\s*$/.exec(stdout) ?? [];
	return { command, parentPid: Number(parent) };
}

/**
 * The ids of npm's process and of those between it and this one. npm runs a script by a shell, and a shell that does not replace itself by the
 * script's program does not end when npm does.
 */
async function startersPids(): Promise<number[]> {
	const pids = [parentPid];
	for (;;) {
		const { command, parentPid: next } = await describe(pids.at(-1)!).catch(() => ({ command: "", parentPid: 0 }));
		if (!SHELL.test(command) || !(next > 1)) return pids;
		pids.push(next);
	}
}

/**
 * Calls `onGone` once npm has ended, if this process runs `npmScript` (the command of the script that npm runs; empty: none), or once the channel
 * to the process that forked this one closes.
 */
export async function onParentGone(npmScript: string, onGone: () => void): Promise<void> {
	if (process.connected) process.once("disconnect", onGone);
	// npm runs another program, which has started this process and may end before it.
	if (!npmScript.includes(basename(process.argv[1] ?? "?"))) return;
	const pids = await startersPids();
	const timer = setInterval(() => {
		// On Windows the id of the parent stays the same when it ends.
		if (pids.every(isAlive) && (isWindows || process.ppid === parentPid)) return;
		clearInterval(timer);
		onGone();
	}, CHECK_EVERY_MS).unref();
}
