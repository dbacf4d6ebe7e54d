// Faults of Kafka, Postgres, Redis and Cassandra: down, killed, frozen, emptied, restarted with older data, or closing their connections.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { infra } from "../faults.ts";
import { psql, redis } from "../outside.ts";
import type { Draw } from "./draw.ts";
import type { Fault } from "./fault.ts";

export const SERVERS = ["kafka", "postgres", "redis", "cassandra"];

/** Makes a server unavailable for a time. */
const stopServer = async (name: string, how: string, forMs: number) => {
	await infra(how, name);
	await delay(forMs);
	await infra(how === "freeze" ? "thaw" : "up", name);
};

export const server = (draw: Draw, name: string): Fault => {
	const [how, forMs] = [draw.of(["down", "kill", "freeze"]), draw.mostlyNear(5_000, 60_000)];
	return {
		description: `${name}: ${how}, for ${forMs} ms`,
		async inject() {
			await stopServer(name, how, forMs);
		}
	};
};

export const pair = (draw: Draw): Fault => {
	const both = draw
		.shuffled(SERVERS)
		.slice(0, 2)
		.map(name => server(draw, name));
	return {
		description: both.map(({ description }) => description).join(", and "),
		async inject(context) {
			await Promise.all(both.map(one => one.inject(context)));
		}
	};
};

/** The servers close all their connections. */
export const cutByServers = (draw: Draw): Fault => {
	const pauses = Array.from({ length: draw.between(3, 8) }, () => draw.between(0, 2_000));
	const others = "datname = current_database() and pid <> pg_backend_pid()";
	return {
		description: `Postgres and Redis close all connections after ${pauses.join(", ")} ms`,
		async inject() {
			for (const pauseMs of pauses) {
				await delay(pauseMs);
				await psql(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`);
				await redis("client", "kill", "type", "normal");
			}
		}
	};
};

export const emptied = (draw: Draw): Fault => {
	const pauses = Array.from({ length: draw.between(1, 3) }, () => draw.between(0, 4_000));
	return {
		description: `FLUSHALL after ${pauses.join(", ")} ms`,
		async inject() {
			for (const pauseMs of pauses) {
				await delay(pauseMs);
				await redis("flushall");
			}
		}
	};
};

/** Restarts Redis with an older copy of its append-only file. */
export const rolledBack = (draw: Draw): Fault => {
	const [byMs, forMs] = [draw.between(2_000, 10_000), draw.mostlyNear(0, 5_000)];
	return {
		description: `Redis: down for ${forMs} ms, restarted with the data of ${byMs} ms before`,
		async inject() {
			const dir = join(process.env.INFRA_DATA ?? "", "redis", "appendonlydir");
			const older = mkdtempSync(join(process.env.INFRA_DATA ?? "", "older-"));
			cpSync(dir, older, { recursive: true });
			await delay(byMs);
			await infra("kill", "redis");
			rmSync(dir, { recursive: true });
			cpSync(older, dir, { recursive: true });
			rmSync(older, { recursive: true });
			await delay(forMs);
			await infra("up", "redis");
		}
	};
};
