// What is done to the system, drawn by a seed: a round of faults is one card of a shuffled deck.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, fresh, httpClient } from "../client.ts";
import { infra } from "../faults.ts";
import type { Ledger } from "../ledger.ts";
import { psql, redis } from "../outside.ts";
import type { System } from "../system.ts";
import { points } from "./crash-points.ts";
import { type Draw, drawBy } from "./draw.ts";
import type { Order } from "./hook.ts";
import { poison } from "./poison.ts";
import { GROUPS, withAdmin } from "./quiet.ts";

export interface Scene {
	system: System;
	ledger: Ledger;
	/** Where processes look for orders (see hook.ts). */
	ordersDir: string;
}

export interface Fault {
	/** With all its parameters. */
	says: string;
	/** Whether a process of ours is ended by it, and its figures begin anew. */
	kills?: boolean;
	/** Resolves when it is over but for what has to be started again. What it answers is looked at when all is quiet. */
	act(scene: Scene): Promise<void | ((timeoutMs: number) => Promise<void>)>;
}

/** Long enough for any step to come by, with whatever load there is. */
const STEP_WITHIN_MS = 60_000;
const SERVERS = ["kafka", "postgres", "redis", "cassandra"];
const PROCESSES = [
	...["gateway-1", "gateway-2", "selections", "summary", "sync", "products"],
	...["inventory", "orders", "payment", "purchase", "users", "wallet"]
];

const order = ({ system, ordersDir }: Scene, name: string, what: Order) => {
	writeFileSync(join(ordersDir, `${name}.json`), JSON.stringify(what));
	process.kill(system.process(name).pid, "SIGUSR2");
};

const standStill = async ({ system }: Scene, name: string, forMs: number) => {
	const { pid } = system.process(name);
	process.kill(pid, "SIGSTOP");
	try {
		await delay(forMs);
	} finally {
		process.kill(pid, "SIGCONT");
	}
};

const killFor = async ({ system }: Scene, name: string, forMs: number) => {
	const one = system.process(name);
	await one.kill("SIGKILL");
	await delay(forMs);
	one.start();
};

/** Away, and back. */
const serverAway = async (name: string, how: string, forMs: number) => {
	await infra(how, name);
	await delay(forMs);
	await infra(how === "freeze" ? "thaw" : "up", name);
};

const server = (draw: Draw, name: string): Fault => {
	const [how, forMs] = [draw.of(["down", "kill", "freeze"]), draw.mostlyNear(5_000, 60_000)];
	return {
		says: `${name}: ${how}, for ${forMs} ms`,
		async act() {
			await serverAway(name, how, forMs);
		}
	};
};

const atPoint = (draw: Draw): Fault => {
	const { processes, name: when, ...step } = draw.of(points);
	const [name, nth, downMs] = [draw.of(processes), draw.mostlyNear(1, 20), draw.mostlyNear(0, 5_000)];
	return {
		says: `${name}: killed when ${when}, the ${nth}. time, for ${downMs} ms`,
		kills: true,
		async act(scene) {
			const one = scene.system.process(name);
			order(scene, name, { act: "kill", nth, ...step });
			const { post } = httpClient(scene.system.url);
			const hasCome = async () => {
				// The crowd seldom does this by itself.
				if (name === "sync") await post("/api/selections/synchronization", { user_id: fresh("user") }).catch(() => {});
				assert.ok(one.ended);
			};
			await eventually(hasCome, `${name} to come ${nth} times to: ${when}`, STEP_WITHIN_MS);
			await delay(downMs);
			one.start();
		}
	};
};

const killed = (draw: Draw, count: number): Fault => {
	const names = draw.shuffled(PROCESSES).slice(0, count);
	const [afterMs, forMs] = [draw.between(0, 5_000), draw.mostlyNear(0, 10_000)];
	return {
		says: `${names.join(", ")}: killed after ${afterMs} ms, for ${forMs} ms`,
		kills: true,
		async act(scene) {
			await delay(afterMs);
			await Promise.all(names.map(name => killFor(scene, name, forMs)));
		}
	};
};

const frozen = (draw: Draw): Fault => {
	const [name, forMs] = [draw.of(PROCESSES), draw.mostlyNear(5_000, 30_000)];
	return { says: `${name}: stands still for ${forMs} ms`, act: scene => standStill(scene, name, forMs) };
};

const pair = (draw: Draw): Fault => {
	const both = draw
		.shuffled(SERVERS)
		.slice(0, 2)
		.map(name => server(draw, name));
	return {
		says: both.map(({ says }) => says).join(", and "),
		async act(scene) {
			await Promise.all(both.map(one => one.act(scene)));
		}
	};
};

/** Every connection of some processes is reset: to their clients, to each other and to the servers. */
const cut = (draw: Draw): Fault => {
	const times = draw.between(3, 8);
	const cuts = Array.from({ length: times }, () => ({ name: draw.of(PROCESSES), afterMs: draw.between(0, 2_000) }));
	return {
		says: `connections reset of ${cuts.map(({ name, afterMs }) => `${name} after ${afterMs} ms`).join(", ")}`,
		async act(scene) {
			for (const { name, afterMs } of cuts) {
				await delay(afterMs);
				order(scene, name, { act: "cut" });
			}
		}
	};
};

/** By the servers themselves. */
const cutOff = (draw: Draw): Fault => {
	const pauses = Array.from({ length: draw.between(3, 8) }, () => draw.between(0, 2_000));
	const others = "datname = current_database() and pid <> pg_backend_pid()";
	return {
		says: `Postgres and Redis hang up on everybody after ${pauses.join(", ")} ms`,
		async act() {
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
		says: `FLUSHALL after ${pauses.join(", ")} ms`,
		async act() {
			for (const pauseMs of pauses) {
				await delay(pauseMs);
				await redis("flushall");
			}
		}
	};
};

/** What it has appended up to some moment is what it held then. */
const rolledBack = (draw: Draw): Fault => {
	const [byMs, forMs] = [draw.between(2_000, 10_000), draw.mostlyNear(0, 5_000)];
	return {
		says: `Redis: away for ${forMs} ms, and back as it was ${byMs} ms before`,
		async act() {
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
		says: `${name}: reads its topics again from the earliest record`,
		kills: true,
		async act({ system }) {
			const one = system.process(name);
			await one.kill("SIGTERM");
			await withAdmin(async admin => {
				for (const topic of GROUPS[name] ?? []) {
					const reset = () => admin.resetOffsets({ groupId: name, topic, earliest: true });
					await eventually(reset, `group ${name} to be left`, STEP_WITHIN_MS);
				}
			});
			one.start();
		}
	};
};

const poisoned = (draw: Draw): Fault => {
	const [ofEach, seed] = [draw.between(8, 20), draw.between(0, 1_000_000)];
	return {
		says: `${ofEach} poisoned records of each kind on topics drawn by ${seed}`,
		act: ({ ledger }) => poison(drawBy(seed), ledger, ofEach)
	};
};

const allKilled = (): Fault => ({
	says: "all processes: killed at once",
	kills: true,
	async act({ system }) {
		await system.kill9();
		for (const one of system.processes) one.start();
	}
});

const deck: readonly ((draw: Draw) => Fault)[] = [
	...[atPoint, atPoint, atPoint, atPoint, atPoint],
	...[(draw: Draw) => killed(draw, 1), (draw: Draw) => killed(draw, 3), allKilled],
	...[frozen, frozen, pair],
	...SERVERS.map(name => (draw: Draw) => server(draw, name)),
	...[cut, cutOff, emptied, rolledBack, replayed, poisoned]
];

/** The same for the same seed and round. Every run through the deck holds each of its cards once. */
export function faultOf(seed: number, round: number): Fault {
	const n = round - 1;
	const order = drawBy(seed * 1_000 + Math.floor(n / deck.length)).shuffled(deck);
	return order[n % deck.length]!(drawBy(seed * 1_000_003 + round));
}
