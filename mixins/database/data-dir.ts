// One process at a time may open a data directory: PGlite opens a live one a second time without a word, and both lose.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The directory cannot be had; the message says why and what to do. */
export class DataDirError extends Error {}

/** When a process started: field 22 of /proc/<pid>/stat (proc(5)), in ticks since boot. Where there is no /proc, the pid alone must do. */
function startOf(pid: number): string {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The second field is the command in brackets and may itself hold spaces and brackets.
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
	} catch {
		return "";
	}
}

/** `<pid> <start>`: pids recur, after a reboot and in every container. */
const mine = `${process.pid} ${startOf(process.pid)}`;

function isAlive(owner: string): boolean {
	const [pid = 0, startedAt] = owner.split(" ").map((part, index) => (index === 0 ? Number(part) : part)) as [number, string];
	// What is not a pid was left by a process that was killed, or a disk that was full, in the middle of writing it.
	if (!Number.isInteger(pid) || pid <= 0) return false;
	try {
		process.kill(pid, 0);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
	}
	return startOf(pid) === startedAt;
}

const read = (file: string) => {
	try {
		return readFileSync(file, "utf8").trim();
	} catch {
		return "";
	}
};

/** True if there was none yet. The lock appears with its content in it: made under another name and linked, not created and then written. */
function place(lock: string, from: string): boolean {
	try {
		linkSync(from, lock);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw error;
	}
}

/** Moves a dead owner's lock away. If somebody has taken over meanwhile it was theirs, and is put back. */
function removeStale(lock: string, owner: string) {
	const aside = `${lock}.${process.pid}.stale`;
	try {
		renameSync(lock, aside);
	} catch {
		return;
	}
	if (read(aside) !== owner) place(lock, aside);
	rmSync(aside, { force: true });
}

/** Makes the directory if need be and takes it for this process, which may hold it already. Throws `DataDirError`. Answers how to let go. */
export function takeDataDir(dir: string): () => void {
	const lock = join(dir, "lock");
	const own = `${lock}.${process.pid}`;
	const letGo = () => rmSync(lock, { force: true });
	try {
		mkdirSync(dir, { recursive: true });
		writeFileSync(own, mine);
	} catch (error) {
		throw new DataDirError(`DATA_DIR=${dir} is unusable (${(error as Error).message}): give a directory that can be written`);
	}
	try {
		while (!place(lock, own)) {
			const owner = read(lock);
			if (owner === mine) return letGo;
			if (isAlive(owner))
				throw new DataDirError(
					`DATA_DIR=${dir} is in use by process ${owner.split(" ")[0]}: stop it first, or give another directory`
				);
			removeStale(lock, owner);
		}
		return letGo;
	} finally {
		rmSync(own, { force: true });
	}
}
