// The fault schedule: which fault each round injects, derived from a seed. The list of faults is shuffled; each round takes the next one.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, fresh, httpClient } from "../client.ts";
import { infra } from "../faults.ts";
import type { Ledger } from "../ledger.ts";
import { psql, redis } from "../outside.ts";
import type { System } from "../system.ts";
import { crashPoints } from "./crash-points.ts";
import { type Draw, drawBy } from "./draw.ts";
import type { FaultCommand } from "./hook.ts";
import { GROUPS, withAdmin } from "./idle.ts";
import { poison } from "./poison.ts";

export interface FaultContext {
	system: System;
	ledger: Ledger;
	/** The directory of the processes' fault commands (see hook.ts). */
	commandsDir: string;
}

export interface Fault {
	/** Description with all parameters. */
	description: string;
	/** Whether a process of the system is killed, which resets its metrics. */
	kills?: boolean;
	/** Injects the fault. Resolves when it is over, except for processes that must be restarted; may resolve to a check for when the system is idle. */
	inject(context: FaultContext): Promise<void | ((timeoutMs: number) => Promise<void>)>;
}

/** Long enough for every step to occur under any load. */
const STEP_WITHIN_MS = 60_000;
const SERVERS = ["kafka", "postgres", "redis", "cassandra"];
const PROCESSES = [
	...["gateway-1", "gateway-2", "selections", "summary", "sync", "products"],
	...["inventory", "orders", "payment", "purchase", "users", "wallet"]
];

const sendCommand = ({ system, commandsDir }: FaultContext, name: string, what: FaultCommand) => {
	writeFileSync(join(commandsDir, `${name}.json`), JSON.stringify(what));
	process.kill(system.process(name).pid, "SIGUSR2");
};

const freezeProcess = async ({ system }: FaultContext, name: string, forMs: number) => {
	const { pid } = system.process(name);
	process.kill(pid, "SIGSTOP");
	try {
		await delay(forMs);
	} finally {
		process.kill(pid, "SIGCONT");
	}
};

const killFor = async ({ system }: FaultContext, name: string, forMs: number) => {
	const one = system.process(name);
	await one.kill("SIGKILL");
	await delay(forMs);
	one.start();
};

/** Makes a server unavailable for a time. */
const stopServer = async (name: string, how: string, forMs: number) => {
	await infra(how, name);
	await delay(forMs);
	await infra(how === "freeze" ? "thaw" : "up", name);
};

const server = (draw: Draw, name: string): Fault => {
	const [how, forMs] = [draw.of(["down", "kill", "freeze"]), draw.mostlyNear(5_000, 60_000)];
	return {
		description: `${name}: ${how}, for ${forMs} ms`,
		async inject() {
			await stopServer(name, how, forMs);
		}
	};
};

const killedAtCrashPoint = (draw: Draw): Fault => {
	const { processes, name: when, ...step } = draw.of(crashPoints);
	const [name, nth, downMs] = [draw.of(processes), draw.mostlyNear(1, 20), draw.mostlyNear(0, 5_000)];
	return {
		description: `${name}: killed when ${when}, time ${nth}, down for ${downMs} ms`,
		kills: true,
		async inject(context) {
			const one = context.system.process(name);
			sendCommand(context, name, { act: "kill", nth, ...step });
			const { post } = httpClient(context.system.url);
			const hasEnded = async () => {
				// The load generator sends no synchronizations.
				if (name === "sync") await post("/api/selections/synchronization", { user_id: fresh("user") }).catch(() => {});
				assert.ok(one.ended);
			};
			await eventually(hasEnded, `${name} to be killed when ${when}, time ${nth}`, STEP_WITHIN_MS);
			await delay(downMs);
			one.start();
		}
	};
};

const killed = (draw: Draw, count: number): Fault => {
	const names = draw.shuffled(PROCESSES).slice(0, count);
	const [afterMs, forMs] = [draw.between(0, 5_000), draw.mostlyNear(0, 10_000)];
	return {
		description: `${names.join(", ")}: killed after ${afterMs} ms, for ${forMs} ms`,
		kills: true,
		async inject(context) {
			await delay(afterMs);
			await Promise.all(names.map(name => killFor(context, name, forMs)));
		}
	};
};

const frozen = (draw: Draw): Fault => {
	const [name, forMs] = [draw.of(PROCESSES), draw.mostlyNear(5_000, 30_000)];
	return { description: `${name}: frozen for ${forMs} ms`, inject: context => freezeProcess(context, name, forMs) };
};

const pair = (draw: Draw): Fault => {
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

/** Resets every connection of some processes: to clients, to each other and to the servers. */
const cut = (draw: Draw): Fault => {
	const times = draw.between(3, 8);
	const cuts = Array.from({ length: times }, () => ({ name: draw.of(PROCESSES), afterMs: draw.between(0, 2_000) }));
	return {
		description: `connections reset of ${cuts.map(({ name, afterMs }) => `${name} after ${afterMs} ms`).join(", ")}`,
		async inject(context) {
			for (const { name, afterMs } of cuts) {
				await delay(afterMs);
				sendCommand(context, name, { act: "cut" });
			}
		}
	};
};

/** The servers close all their connections. */
const cutByServers = (draw: Draw): Fault => {
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

const emptied = (draw: Draw): Fault => {
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
const rolledBack = (draw: Draw): Fault => {
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

const replayed = (draw: Draw): Fault => {
	const name = draw.of(Object.keys(GROUPS).filter(group => group !== "socket"));
	return {
		description: `${name}: replays its topics from the earliest record`,
		kills: true,
		async inject({ system }) {
			const one = system.process(name);
			await one.kill("SIGTERM");
			await withAdmin(async admin => {
				for (const topic of GROUPS[name] ?? []) {
					const reset = () => admin.resetOffsets({ groupId: name, topic, earliest: true });
					await eventually(reset, `group ${name} to have no members`, STEP_WITHIN_MS);
				}
			});
			one.start();
		}
	};
};

const poisoned = (draw: Draw): Fault => {
	const [ofEach, seed] = [draw.between(8, 20), draw.between(0, 1_000_000)];
	return {
		description: `${ofEach} poison records of each kind, seed ${seed}`,
		inject: ({ ledger }) => poison(drawBy(seed), ledger, ofEach)
	};
};

const allKilled = (): Fault => ({
	description: "all processes: killed at once",
	kills: true,
	async inject({ system }) {
		await system.kill9();
		for (const one of system.processes) one.start();
	}
});

const faultKinds: readonly ((draw: Draw) => Fault)[] = [
	...[killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint],
	...[(draw: Draw) => killed(draw, 1), (draw: Draw) => killed(draw, 3), allKilled],
	...[frozen, frozen, pair],
	...SERVERS.map(name => (draw: Draw) => server(draw, name)),
	...[cut, cutByServers, emptied, rolledBack, replayed, poisoned]
];

/** The fault of a round, determined by seed and round. Every pass through the list contains each of its faults once. */
export function faultOf(seed: number, round: number): Fault {
	const n = round - 1;
	const shuffled = drawBy(seed * 1_000 + Math.floor(n / faultKinds.length)).shuffled(faultKinds);
	return shuffled[n % faultKinds.length]!(drawBy(seed * 1_000_003 + round));
}
