// Runs Postgres from the system's packages, with its own data directory and the database that the default DATABASE_URL names.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { onPath, type Tool } from "./install.ts";
import { commandLineOf, read, type Server } from "./server.ts";
import { ports } from "./settings.ts";

const run = promisify(execFile);
const port = ports.postgres;
const DATABASE = "pocdb";

/** Debian installs the server's programs outside PATH, in one directory for each major version. */
function program(name: string): string {
	const root = "/usr/lib/postgresql";
	const majors = existsSync(root)
		? readdirSync(root)
				.map(Number)
				.filter(Number.isFinite)
				.sort((a, b) => b - a)
		: [];
	return majors.map(major => join(root, String(major), "bin", name)).find(existsSync) ?? name;
}

const server: Tool = {
	name: "Postgres",
	package: "postgresql",
	found: () => program("postgres") !== "postgres" || onPath("postgres")
};

/** Postgres refuses to run as root: as root, start it as the user that its package has created. */
const postgresUser = () => {
	if (process.getuid?.() !== 0) return {};
	const id = (option: string) => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }));
	return { uid: id("-u"), gid: id("-g") };
};

/** The cluster directory is in `dir`, or in the home of user postgres if that user cannot enter `dir`. */
function clusterDirOf(dir: string): string {
	const isReachable = spawnSync("test", ["-x", dir], { cwd: "/", ...postgresUser() }).status === 0;
	return isReachable
		? join(dir, "cluster")
		: join("/var/lib/postgresql", `plaza-${createHash("sha256").update(dir).digest("hex").slice(0, 12)}`);
}

async function initialise(clusterDir: string): Promise<void> {
	const partial = `${clusterDir}.partial`;
	const { uid, gid } = postgresUser();
	rmSync(partial, { recursive: true, force: true });
	mkdirSync(partial, { mode: 0o700 });
	if (uid !== undefined) chownSync(partial, uid, gid);
	const options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
	await run(program("initdb"), ["-D", partial, ...options], { cwd: "/", uid, gid });
	renameSync(partial, clusterDir);
}

/** Postgres treats a killed process that is not reaped yet as running, and would refuse to start: remove its pid file. */
function removeZombiePidFile(clusterDir: string): void {
	const pidFile = join(clusterDir, "postmaster.pid");
	const pid = Number.parseInt(read(pidFile) ?? "", 10);
	if (commandLineOf(pid) === "") rmSync(pidFile);
}

const clientOf = (database: string) =>
	new pg.Client({ host: "127.0.0.1", port, user: "postgres", database, connectionTimeoutMillis: 3000 });

export const postgres: Server = {
	name: "postgres",
	port,
	tools: [server],
	async prepare(dir) {
		// The server's user must reach the cluster in it, whose own mode is 0700.
		if (postgresUser().uid !== undefined) chmodSync(dir, 0o711);
		const clusterDir = clusterDirOf(dir);
		if (!clusterDir.startsWith(dir)) console.log(`postgres  stores its data in ${clusterDir}: user postgres cannot enter ${dir}`);
		if (!existsSync(clusterDir)) await initialise(clusterDir);
		removeZombiePidFile(clusterDir);
		// No Unix socket: in a deep directory its path may exceed the allowed length, and no client uses it.
		const settings = {
			port,
			listen_addresses: "127.0.0.1",
			unix_socket_directories: "",
			max_connections: 200,
			shared_buffers: "256MB"
		};
		const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
		return { file: program("postgres"), args: ["-D", clusterDir, ...args], ...postgresUser() };
	},
	async ready() {
		const client = clientOf("postgres");
		try {
			await client.connect();
			const { rowCount } = await client.query("select from pg_database where datname = $1", [DATABASE]);
			if (rowCount === 0) await client.query(`create database ${DATABASE}`);
		} finally {
			await client.end();
		}
	},
	// SIGTERM would wait until every client has disconnected.
	stopSignal: "SIGINT",
	wipe(dir) {
		if (server.found()) rmSync(clusterDirOf(dir), { recursive: true, force: true });
	}
};
