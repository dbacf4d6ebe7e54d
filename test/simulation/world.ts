// The frame of every simulated world: random source, virtual time, faults, topics and processes; and the phases of one history.
import { installClock } from "./clock.ts";
import { drawFaults, type Faults } from "./injected-faults.ts";
import type { Mutant } from "./mutant.ts";
import type { Node } from "./nodes.ts";
import { actAs, createScheduler, type Scheduler } from "./scheduler.ts";
import { modelTopics, type Topics } from "./topics.model.ts";

export interface WorldContext {
	scheduler: Scheduler;
	faults: Faults;
	topics: Topics;
	/** The mutant under test. */
	mutant?: Mutant;
}

/** One simulated system. */
export interface World {
	nodes: Node[];
	/** Servers that may become unavailable. */
	servers: { makeUnavailable(forMs: number): void }[];
	/** A store of this world loses data. */
	loseData?(): void;
	/** The load: started after the processes; resolves when every client has finished. */
	runClients(): Promise<void>;
	/** Whether the system has no work left, once the clients have finished. */
	isIdle(): boolean;
	/** Checks the invariants: throws or rejects if one is violated. */
	check(): void | Promise<void>;
}

const FAULT_STEPS = [200, 1_500] as const;
const MAX_STEPS = 20_000;
const UNAVAILABLE_MS = [100, 20_000] as const;
const FROZEN_MS = [100, 20_000] as const;
/** The system counts as idle only after this time without work, so that periodic tasks have run once more. */
const IDLE_MS = 16_000;

function injectFaults({ scheduler: { random }, faults, topics }: WorldContext, { nodes, servers, loseData }: World) {
	if (faults.shouldInject("crash")) random.pick(nodes).kill();
	if (faults.shouldInject("freeze")) random.pick(nodes).freeze(random.between(...FROZEN_MS));
	if (faults.shouldInject("unavailable")) random.pick([...servers, topics]).makeUnavailable(random.between(...UNAVAILABLE_MS));
	if (faults.shouldInject("rewind")) topics.groups.rewind();
	if (faults.shouldInject("reassign")) topics.groups.reassign();
	if (faults.shouldInject("data loss")) loseData?.();
}

export interface Opened {
	/** `lines` receives the trace. */
	simulate(seed: number, lines?: string[]): Promise<Outcome>;
	close(): Promise<void>;
}

export interface Outcome {
	steps: number;
	/** Hash of all events in order. */
	hash: string;
	error?: Error;
}

/** Runs one history. `lines` receives its trace. */
export async function simulate(
	seed: number,
	make: (context: WorldContext) => World,
	mutant?: Mutant,
	lines?: string[]
): Promise<Outcome> {
	const scheduler = createScheduler(seed, lines);
	const faults = drawFaults(scheduler);
	const faultSteps = scheduler.random.between(...FAULT_STEPS);
	const failed = (error: unknown) => scheduler.fail(error instanceof Error ? error : new Error(String(error)));
	process.on("unhandledRejection", failed);
	const restore = installClock(scheduler);
	try {
		const context = { scheduler, faults, topics: modelTopics(scheduler, faults), mutant };
		const world = make(context);
		for (const node of world.nodes) void node.start();
		let isDone = false;
		actAs(undefined, () => {
			world.runClients().then(() => {
				isDone = true;
			}, failed);
		});
		let idleSinceMs = Number.POSITIVE_INFINITY;
		const isOver = () => {
			if (!isDone || !faults.isOver || !world.isIdle() || !topics(context)) idleSinceMs = Number.POSITIVE_INFINITY;
			else idleSinceMs = Math.min(idleSinceMs, scheduler.nowMs());
			return scheduler.nowMs() - idleSinceMs > IDLE_MS;
		};
		const before = () => {
			if (scheduler.stepCount() < faultSteps) return injectFaults(context, world);
			faults.end();
			for (const node of world.nodes) if (node.running) node.running.actor.frozenUntilMs = 0;
		};
		await scheduler.run(isOver, before, MAX_STEPS);
		await world.check();
		return { steps: scheduler.stepCount(), hash: scheduler.hash() };
	} catch (error) {
		return { steps: scheduler.stepCount(), hash: scheduler.hash(), error: error as Error };
	} finally {
		restore();
		process.off("unhandledRejection", failed);
	}
}

const topics = ({ topics: { groups, tails } }: WorldContext) => groups.areDone() && tails.areDone();
