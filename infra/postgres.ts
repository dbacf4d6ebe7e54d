// Postgres from the system's packages, with a data directory of its own and the database that DATABASE_URL names by default.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { onPath, type Tool } from "./install.ts";
import { commandLineOf, read, type Server } from "./server.ts";
import { ports } from "./settings.ts";

const run = promisify(execFile);
const port = ports.postgres;
const DATABASE = "pocdb";

/** Debian keeps the server's programs away from PATH, by major version. */
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

/** Postgres refuses to run as root: then it runs as the user that its package has made. */
const owner = () => {
	if (process.getuid?.() !== 0) return {};
	const id = (option: string) => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }));
	return { uid: id("-u"), gid: id("-g") };
};

/** Below the data directory, unless that lies where user postgres cannot go: then below its own home. */
function placeOf(dir: string): string {
	const reached = spawnSync("test", ["-x", dir], { cwd: "/", ...owner() }).status === 0;
	return reached
		? join(dir, "cluster")
		: join("/var/lib/postgresql", `plaza-${createHash("sha256").update(dir).digest("hex").slice(0, 12)}`);
}

async function initialise(place: string): Promise<void> {
	const partial = `${place}.partial`;
	const { uid, gid } = owner();
	rmSync(partial, { recursive: true, force: true });
	mkdirSync(partial, { mode: 0o700 });
	if (uid !== undefined) chownSync(partial, uid, gid);
	const options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
	await run(program("initdb"), ["-D", partial, ...options], { cwd: "/", uid, gid });
	renameSync(partial, place);
}

/** Postgres takes a killed server that nobody has reaped yet for a living one, and would not start beside it. */
function forgetZombie(place: string): void {
	const pidFile = join(place, "postmaster.pid");
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
		const place = placeOf(dir);
		if (!place.startsWith(dir)) console.log(`postgres  keeps its data in ${place}, for user postgres may not enter ${dir}`);
		if (!existsSync(place)) await initialise(place);
		forgetZombie(place);
		// No socket file: the path of one may be too long below a deep directory, and nobody asks for it.
		const settings = {
			port,
			listen_addresses: "127.0.0.1",
			unix_socket_directories: "",
			max_connections: 200,
			shared_buffers: "256MB"
		};
		const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
		return { file: program("postgres"), args: ["-D", place, ...args], ...owner() };
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
	// SIGTERM would wait for every client to leave by itself.
	stopSignal: "SIGINT",
	wipe(dir) {
		if (server.found()) rmSync(placeOf(dir), { recursive: true, force: true });
	}
};
