// Lets one process at a time open a data directory: PGlite opens one that is in use without an error, and both processes lose data.
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The directory cannot be used; the message says why and what to do. */
export class DataDirError extends Error {}

/** When a process started: field 22 of /proc/<pid>/stat (proc(5)), in ticks since boot. Empty on systems without /proc: there the pid alone decides. */
function startOf(pid: number): string {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The second field is the command in brackets, which may contain spaces and brackets.
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
	} catch {
		return "";
	}
}

/** `<pid> <start>`: pids repeat, after a reboot and in every container. */
const mine = `${process.pid} ${startOf(process.pid)}`;

function isAlive(owner: string): boolean {
	const [pid = 0, startedAt] = owner.split(" ").map((part, index) => (index === 0 ? Number(part) : part)) as [number, string];
	// A lock without a pid was left by a process that was killed while it wrote it, or by a full disk.
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

/** Returns whether there was no lock yet. The lock appears with its content: it is written under another name and then linked. */
function place(lock: string, from: string): boolean {
	try {
		linkSync(from, lock);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw error;
	}
}

/** Creates a directory and its parents. Node's own `recursive` never returns where a system refuses a directory with ENOENT, as /proc does. */
function makeDir(dir: string) {
	if (existsSync(dir)) return;
	makeDir(dirname(dir));
	try {
		mkdirSync(dir, { mode: 0o700 });
	} catch (error) {
		// Another process may have created it in between.
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}

/** Removes the lock of a process that has ended. If another process has replaced it meanwhile, puts that one back. */
function removeStale(lock: string, owner: string) {
	const moved = `${lock}.${process.pid}.stale`;
	try {
		renameSync(lock, moved);
	} catch {
		return;
	}
	if (read(moved) !== owner) place(lock, moved);
	rmSync(moved, { force: true });
}

/** Gives the directory mode 0700: other users of the machine must not read the data. Throws where it is another user's; root may use any. */
function closeToOthers(dir: string, label: string) {
	const ownUser = process.getuid?.();
	// On Windows the directory inherits its access rights.
	if (ownUser === undefined) return;
	const { uid, mode } = statSync(dir);
	if (uid !== ownUser && ownUser !== 0)
		throw new Error(`it belongs to user ${uid}, who could read everything in it; this process runs as user ${ownUser}`);
	if ((mode & 0o077) === 0) return;
	try {
		chmodSync(dir, 0o700);
	} catch (error) {
		// The errors of file systems without modes.
		if (!["EPERM", "ENOTSUP", "EOPNOTSUPP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
	}
	if ((statSync(dir).mode & 0o077) !== 0)
		process.emitWarning(
			`${label}: its file system ignores modes, so other users of this machine may read the data: give a directory on another file system`,
			"DataDir"
		);
}

/**
 * Creates the directory with mode 0700, or gives an existing one that mode, and locks it for this process, which may have locked it already. Returns the
 * function that releases it. `label`: its name in errors. Throws `DataDirError`, also if the directory belongs to another user and this process does not
 * run as root. Warns where the file system ignores modes.
 */
export function takeDataDir(dir: string, label = dir): () => void {
	const lock = join(dir, "lock");
	const own = `${lock}.${process.pid}`;
	const release = () => rmSync(lock, { force: true });
	try {
		makeDir(dir);
		closeToOthers(dir, label);
		writeFileSync(own, mine);
	} catch (error) {
		throw new DataDirError(
			`${label} is unusable (${(error as Error).message}): give a directory of your own that can be written`
		);
	}
	try {
		while (!place(lock, own)) {
			const owner = read(lock);
			if (owner === mine) return release;
			if (isAlive(owner))
				throw new DataDirError(`${label} is in use by process ${owner.split(" ")[0]}: stop it first, or give another directory`);
			removeStale(lock, owner);
		}
		return release;
	} finally {
		rmSync(own, { force: true });
	}
}
