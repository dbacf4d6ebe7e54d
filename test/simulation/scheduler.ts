// The deterministic scheduler. Everything that a simulated system does is cut into steps that wait here. The seed decides which due step
// runs next; when no step is due, the clock advances to the earliest one.
import { AsyncLocalStorage } from "node:async_hooks";
import { type Random, randomFrom } from "../random.ts";

/** The owner of running code: a process that can be killed and frozen; code without an actor belongs to the clients outside. */
export interface Actor {
	readonly name: string;
	isAlive: boolean;
	/** While the process is frozen: none of its steps runs before this time. */
	frozenUntilMs: number;
	/** How much `Date.now()` of this process is ahead of the others. Default 0. */
	skewMs?: number;
}

interface Step {
	label: string;
	actor: Actor | undefined;
	atMs: number;
	go: () => void;
}

const actors = new AsyncLocalStorage<Actor | undefined>();
/** Runs `work`; the actor owns every step that it schedules, also later. */
export const actAs = <T>(actor: Actor | undefined, work: () => T): T => actors.run(actor, work);
export const currentActor = () => actors.getStore();

const realImmediate = setImmediate;
/** Resolves when all pending promise callbacks have run. */
const settled = () => new Promise<void>(resolve => realImmediate(resolve));

export interface Scheduler {
	readonly random: Random;
	/** Virtual time, in ms since 1970. */
	nowMs(): number;
	/** Resolves when the scheduler runs this step, at the earliest after `afterMs`; never if the actor was killed. */
	step(label: string, afterMs?: number): Promise<void>;
	/** Schedules `work` for the present actor. Returns a function that cancels it. */
	after(ms: number, label: string, work: () => void): () => void;
	/** Real work, which takes no virtual time: no step runs before it ends. */
	waitFor<T>(work: Promise<T>): Promise<T>;
	/** Kills the actor: none of its steps will run. */
	kill(actor: Actor): void;
	/** Ends the run with this error. */
	fail(error: Error): void;
	/** Runs steps until `isOver`; `before` is called before each step. Rejects with the error of `fail`, or after `maxTurns` steps. */
	run(isOver: () => boolean, before: () => void, maxSteps: number): Promise<void>;
	/** Hash of all steps so far: equal for equal runs. */
	hash(): string;
	stepCount(): number;
	/** Trace of the run, one line per event; undefined if no trace is kept. */
	lines: string[] | undefined;
	note(line: string): void;
}

/** With no waiting step, time advances by this much, for faults that may still occur. */
const IDLE_MS = 100;
const START_MS = Date.UTC(2030, 0, 1);

export function createScheduler(seed: number, lines?: string[]): Scheduler {
	const random = randomFrom(seed);
	const waiting = new Set<Step>();
	let nowMs = START_MS;
	let hash = 0x811c9dc5;
	let stepCount = 0;
	let realWork = 0;
	let failure: Error | undefined;

	const note = (line: string) => {
		lines?.push(`${nowMs - START_MS} ${line}`);
		// FNV-1a.
		for (let n = 0; n < line.length; n++) hash = Math.imul(hash ^ line.charCodeAt(n), 0x01000193);
	};
	const dueMs = ({ atMs, actor }: Step) => Math.max(atMs, actor?.frozenUntilMs ?? 0);

	const wait = (label: string, afterMs: number, go: () => void) => {
		const actor = currentActor();
		const step = { label, actor, atMs: nowMs + afterMs, go };
		if (actor?.isAlive !== false) waiting.add(step);
		return () => void waiting.delete(step);
	};

	const next = (): Step => {
		if (waiting.size === 0) return { label: "nothing waits", actor: undefined, atMs: nowMs, go: () => (nowMs += IDLE_MS) };
		const due: Step[] = [];
		let earliestMs = Number.POSITIVE_INFINITY;
		for (const step of waiting) {
			const stepMs = dueMs(step);
			// Of the steps that are not due only the earliest ones are candidates.
			if (stepMs > Math.max(nowMs, earliestMs)) continue;
			if (stepMs > nowMs && stepMs < earliestMs) due.length = 0;
			if (stepMs <= nowMs && earliestMs > nowMs) due.length = 0;
			earliestMs = Math.min(earliestMs, stepMs);
			due.push(step);
		}
		nowMs = Math.max(nowMs, earliestMs);
		return random.pick(due);
	};

	return {
		random,
		nowMs: () => nowMs,
		step: (label, afterMs = 0) => new Promise(resolve => void wait(label, afterMs, resolve)),
		after: (ms, label, work) => wait(label, ms, work),
		async waitFor(work) {
			realWork++;
			try {
				return await work;
			} finally {
				realWork--;
			}
		},
		kill(actor) {
			actor.isAlive = false;
			for (const step of waiting) if (step.actor === actor) waiting.delete(step);
		},
		fail: error => {
			failure ??= error;
		},

		async run(isOver, before, maxTurns) {
			for (let left = maxTurns; left > 0; left--) {
				do await settled();
				while (realWork > 0);
				if (failure) throw failure;
				if (isOver()) return;
				before();
				const step = next();
				waiting.delete(step);
				stepCount++;
				note(`${step.actor?.name ?? ""} ${step.label}`);
				// A step takes time; otherwise nothing would ever be late.
				if (random.chance(0.5)) nowMs++;
				actAs(step.actor, step.go);
			}
			const held = [...waiting].map(({ actor, label }) => `${actor?.name ?? ""} ${label}`);
			throw new Error(`not idle after ${maxTurns} steps; waiting steps: ${held.join(", ")}`);
		},

		hash: () => (hash >>> 0).toString(16).padStart(8, "0"),
		stepCount: () => stepCount,
		lines,
		note
	};
}
