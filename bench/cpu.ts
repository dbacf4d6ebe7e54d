// CPU time used by processes and their descendants: far less noisy than elapsed time on a shared machine. Linux only.
import { readdirSync, readFileSync } from "node:fs";

/** /proc counts in hundredths of a second, whatever the kernel's own tick rate (USER_HZ, proc(5)). */
const US_PER_TICK = 10_000;

interface Stat {
	parent: number;
	ticks: number;
}

function statOf(pid: number): Stat | undefined {
	try {
		// The process name may contain spaces and brackets: count the fields after the last bracket.
		const text = readFileSync(`/proc/${pid}/stat`, "utf8");
		const fields = text
			.slice(text.lastIndexOf(")") + 2)
			.split(" ")
			.map(Number);
		// ppid is field 4; utime, stime and those of children that have ended, cutime and cstime, are 14 to 17.
		return { parent: fields[1]!, ticks: fields[11]! + fields[12]! + fields[13]! + fields[14]! };
	} catch {
		return undefined;
	}
}

/** CPU time of these processes and their descendants so far, in microseconds. */
export function cpuUsOf(roots: number[]): number {
	const stats = new Map<number, Stat>();
	for (const name of readdirSync("/proc")) {
		const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
		if (stat) stats.set(Number(name), stat);
	}
	const belongs = (pid: number): boolean => roots.includes(pid) || (stats.has(pid) && belongs(stats.get(pid)!.parent));
	let ticks = 0;
	for (const [pid, stat] of stats) if (belongs(pid)) ticks += stat.ticks;
	return ticks * US_PER_TICK;
}
