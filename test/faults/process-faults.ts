// Faults of the system's own processes: killed at a crash point or at a random time, frozen, disconnected, or replaying their topics.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, fresh, httpClient } from "../client.ts";
import { crashPoints } from "./crash-points.ts";
import type { Draw } from "./draw.ts";
import type { Fault, FaultContext } from "./fault.ts";
import type { FaultCommand } from "./hook.ts";
import { GROUPS, withAdmin } from "./idle.ts";

/** Long enough for every step to occur under any load. */
const STEP_WITHIN_MS = 60_000;
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

export const killedAtCrashPoint = (draw: Draw): Fault => {
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

export const killed = (draw: Draw, count: number): Fault => {
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

export const allKilled = (): Fault => ({
	description: "all processes: killed at once",
	kills: true,
	async inject({ system }) {
		await system.kill9();
		for (const one of system.processes) one.start();
	}
});

export const frozen = (draw: Draw): Fault => {
	const [name, forMs] = [draw.of(PROCESSES), draw.mostlyNear(5_000, 30_000)];
	return { description: `${name}: frozen for ${forMs} ms`, inject: context => freezeProcess(context, name, forMs) };
};

/** Resets every connection of some processes: to clients, to each other and to the servers. */
export const cut = (draw: Draw): Fault => {
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

export const replayed = (draw: Draw): Fault => {
	const name = draw.of(Object.keys(GROUPS));
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
