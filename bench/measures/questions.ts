// Counts the requests to Cassandra, Postgres, Redis and Kafka, the frames and the timers that one event costs: `npm run bench -- questions`.
import { setTimeout as delay } from "node:timers/promises";
import type { Profile } from "../../test/system.ts";
import { type CountedSystem, startCountedSystem } from "../questions/counted-system.ts";
import { difference } from "../questions/counts.ts";
import { openEvents } from "../questions/events.ts";
import { detailsOf, type Measured, type Sample, tableOf } from "../questions/table.ts";
import { withServers } from "../servers.ts";

export interface QuestionsOptions {
	/** Events of each kind. */
	events: number;
	/** How long the idle system is counted. */
	idleMs: number;
	/** The folder of the Plaza that runs: this one, or an older one for comparison. */
	system: string;
	/** Whether the statements, commands and files behind each number are printed too. */
	details: boolean;
}

export const profiles: Profile[] = ["embedded", "cluster"];

/** Before the first count: code is compiled, pools are filled, polls have slowed down. */
const WARM_UP_EVENTS = 20;
const SETTLE_MS = 5_000;
/** After the last event of a kind: what follows its effect, such as the payment of an order or a commit of offsets, is counted with it. */
const FOLLOW_UP_MS = 1_000;

async function sampleOf(system: CountedSystem, events: number, work: () => Promise<unknown>): Promise<Sample> {
	const before = await system.counts();
	const startMs = performance.now();
	await work();
	const counts = difference(before, await system.counts());
	return { counts, events, seconds: (performance.now() - startMs) / 1_000 };
}

/** Starts the system and plays the events of each kind, one after the other, each once the effect of the one before has been seen. */
export async function countQuestions(profile: Profile, options: Omit<QuestionsOptions, "details">): Promise<Measured> {
	const { events, idleMs, system: folder } = options;
	const system = await startCountedSystem(profile, folder);
	try {
		const { play, close } = await openEvents(system, events + WARM_UP_EVENTS);
		const repeat = async (one: () => Promise<unknown>, count: number) => {
			for (let n = 0; n < count; n++) await one();
		};
		for (const one of Object.values(play)) await repeat(one, Math.min(events, WARM_UP_EVENTS));
		await delay(Math.min(idleMs, SETTLE_MS));
		const idle = await sampleOf(system, 0, () => delay(idleMs));
		const kinds: Measured["kinds"] = {};
		for (const [kind, one] of Object.entries(play))
			kinds[kind] = await sampleOf(system, events, async () => {
				await repeat(one, events);
				await delay(Math.min(idleMs, FOLLOW_UP_MS));
			});
		close();
		return { idle, kinds };
	} finally {
		await system.stop();
	}
}

/** Counts on these profiles (none: on all), and prints a table for each. */
export async function runQuestions(chosen: Profile[], options: QuestionsOptions): Promise<void> {
	for (const profile of chosen.length > 0 ? chosen : profiles) {
		const count = () => countQuestions(profile, options);
		const measured = await (profile === "cluster" ? withServers(count) : count());
		const lines = [`${profile}, ${options.events} events of each kind`, "", ...tableOf(measured)];
		for (const line of options.details ? [...lines, "", ...detailsOf(measured)] : lines) console.log(line);
		console.log();
	}
}
