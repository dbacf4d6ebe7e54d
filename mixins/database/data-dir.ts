// One process at a time may open a data directory: PGlite opens a live one a second time without a word, and both lose.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Somebody else holds the directory; the message says who and what to do. */
export class DataDirInUse extends Error {}

interface Owner {
	pid: number;
	/** Pids recur: after a reboot the same one may be somebody else's. */
	startedAt: string;
}

/** When a process started: field 22 of /proc/<pid>/stat (proc(5)), in ticks since boot. Where there is no /proc, the pid alone must do. */
function startOf(pid: number): string | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The second field is the command in brackets and may itself hold spaces and brackets.
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
	} catch {
		return undefined;
	}
}

function isAlive({ pid, startedAt }: Owner): boolean {
	try {
		process.kill(pid, 0);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
	}
	return startOf(pid) === startedAt || startedAt === "";
}

function ownerOf(file: string): Owner | undefined {
	try {
		const [pid, startedAt = ""] = readFileSync(file, "utf8").trim().split(" ");
		return { pid: Number(pid), startedAt };
	} catch {
		return undefined;
	}
}

/** Makes the directory if need be and takes it for this process, which may hold it already. Throws `DataDirInUse` with the other's pid. Answers how to let go. */
export function takeDataDir(dir: string): () => void {
	mkdirSync(dir, { recursive: true });
	const file = join(dir, "lock");
	const mine = `${process.pid} ${startOf(process.pid) ?? ""}`;
	for (;;) {
		try {
			writeFileSync(file, mine, { flag: "wx" });
			return () => rmSync(file, { force: true });
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		}
		const owner = ownerOf(file);
		if (owner?.pid === process.pid) return () => rmSync(file, { force: true });
		if (owner && isAlive(owner))
			throw new DataDirInUse(`DATA_DIR=${dir} is in use by process ${owner.pid}: stop it first, or give another directory`);
		rmSync(file, { force: true });
	}
}
