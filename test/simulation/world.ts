// What every simulated world has: chance, time, things that go wrong, topics, processes; and how its history goes from the first turn to the last.
import { installClock } from "./clock.ts";
import { drawFaults, type Faults } from "./injected-faults.ts";
import type { Mutant } from "./mutants.ts";
import type { Node } from "./nodes.ts";
import { actAs, createScheduler, type Scheduler } from "./scheduler.ts";
import { modelTopics, type Topics } from "./topics.model.ts";

export interface Ground {
	scheduler: Scheduler;
	faults: Faults;
	topics: Topics;
	/** What is wrong on purpose. */
	plant?: Mutant;
}

/** What one world makes of it. */
export interface World {
	nodes: Node[];
	/** Servers that may go away. */
	servers: { leave(forMs: number): void }[];
	/** Something else that may go wrong here. */
	forget?(): void;
	/** Set going when the processes have been started; resolves when everybody has what they wanted. */
	people(): Promise<void>;
	/** Whether nothing is left to do, once the people have what they wanted. */
	isQuiet(): boolean;
	/** Rejects, or throws, where a promise is broken. */
	check(): void | Promise<void>;
}

const STORM_TURNS = [200, 1_500] as const;
const MAX_TURNS = 20_000;
const AWAY_MS = [100, 20_000] as const;
const FROZEN_MS = [100, 20_000] as const;
/** What is done now and then is done once more before all is held to be quiet. */
const QUIET_MS = 16_000;

function disturb({ scheduler: { random }, faults, topics }: Ground, { nodes, servers, forget }: World) {
	if (faults.hits("crash")) random.pick(nodes).kill();
	if (faults.hits("freeze")) random.pick(nodes).freeze(random.between(...FROZEN_MS));
	if (faults.hits("away")) random.pick([...servers, topics]).leave(random.between(...AWAY_MS));
	if (faults.hits("rewind")) topics.groups.rewind();
	if (faults.hits("reassign")) topics.groups.reassign();
	if (faults.hits("forget")) forget?.();
}

export interface Outcome {
	turns: number;
	/** Of everything that happened, in order. */
	hash: string;
	error?: Error;
}

/** One history. `lines`: filled with what happened. */
export async function simulate(
	seed: number,
	make: (ground: Ground) => World,
	plant?: Mutant,
	lines?: string[]
): Promise<Outcome> {
	const scheduler = createScheduler(seed, lines);
	const faults = drawFaults(scheduler);
	const stormTurns = scheduler.random.between(...STORM_TURNS);
	const failed = (error: unknown) => scheduler.fail(error instanceof Error ? error : new Error(String(error)));
	process.on("unhandledRejection", failed);
	const restore = installClock(scheduler);
	try {
		const ground = { scheduler, faults, topics: modelTopics(scheduler, faults), plant };
		const world = make(ground);
		for (const node of world.nodes) void node.start();
		let isDone = false;
		actAs(undefined, () => {
			world.people().then(() => {
				isDone = true;
			}, failed);
		});
		let quietSinceMs = Number.POSITIVE_INFINITY;
		const isOver = () => {
			if (!isDone || !faults.isOver || !world.isQuiet() || !topics(ground)) quietSinceMs = Number.POSITIVE_INFINITY;
			else quietSinceMs = Math.min(quietSinceMs, scheduler.nowMs());
			return scheduler.nowMs() - quietSinceMs > QUIET_MS;
		};
		const before = () => {
			if (scheduler.turns() < stormTurns) return disturb(ground, world);
			faults.end();
			for (const node of world.nodes) if (node.running) node.running.actor.heldUntilMs = 0;
		};
		await scheduler.run(isOver, before, MAX_TURNS);
		await world.check();
		return { turns: scheduler.turns(), hash: scheduler.hash() };
	} catch (error) {
		return { turns: scheduler.turns(), hash: scheduler.hash(), error: error as Error };
	} finally {
		restore();
		process.off("unhandledRejection", failed);
	}
}

const topics = ({ topics: { groups } }: Ground) => groups.areDone();
