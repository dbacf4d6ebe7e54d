// The four servers for the duration of a benchmark run, and their processes.
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import { cassandra } from "../infra/cassandra.ts";
import { kafka } from "../infra/kafka.ts";
import { testServers } from "../infra/test-servers.ts";

export interface Servers {
	/** Their addresses as environment variables. */
	env: Record<string, string>;
	/** Names and versions: "Redis 7.0.15". */
	versions(): Promise<string[]>;
	stop(): void;
}

async function versionsOf(env: { DATABASE_URL: string; REDIS_URL: string }): Promise<string[]> {
	const database = new pg.Client(env.DATABASE_URL);
	const redis = new Redis(env.REDIS_URL);
	try {
		await database.connect();
		const { rows } = await database.query("show server_version");
		const [, redisVersion] = /redis_version:(\S+)/.exec(await redis.info("server")) ?? [];
		const jars = [kafka, cassandra].map(server => `${server.name} ${server.jars?.[0]?.split(":").at(-1)}`);
		return [...jars, `postgres ${rows[0].server_version}`, `redis ${redisVersion}`];
	} finally {
		redis.disconnect();
		await database.end();
	}
}

/** Starts Kafka, Cassandra, Postgres and Redis on free ports with fresh data. */
export async function startServers(): Promise<Servers> {
	const dataDir = mkdtempSync(join(tmpdir(), "plaza-bench-"));
	const env = await testServers(dataDir);
	const infra = (verb: string) =>
		execFileSync(process.execPath, [join(import.meta.dirname, "../infra/main.ts"), verb], {
			env: { ...process.env, ...env },
			stdio: ["ignore", "ignore", "inherit"]
		});
	const stop = () => {
		infra("wipe");
		rmSync(dataDir, { recursive: true, force: true });
	};
	try {
		infra("up");
	} catch (error) {
		stop();
		throw error;
	}
	return { env, versions: () => versionsOf(env), stop };
}

/** Runs `work` with the bench's own servers in the environment. */
export async function withServers<T>(work: () => Promise<T>): Promise<T> {
	const servers = await startServers();
	process.once("exit", servers.stop);
	try {
		Object.assign(process.env, servers.env);
		return await work();
	} finally {
		process.off("exit", servers.stop);
		servers.stop();
	}
}

/** The pids of the servers of this run, by name: `kafka`, `cassandra`, `postgres`, `redis`. */
export const serverPids = (): Record<string, number> =>
	Object.fromEntries(
		globSync("*/pid", { cwd: process.env.INFRA_DATA ?? "" }).map(file => [
			dirname(file),
			Number.parseInt(readFileSync(join(process.env.INFRA_DATA!, file), "utf8"), 10)
		])
	);
