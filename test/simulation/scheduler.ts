// Whose turn it is. All that goes on in a simulated system is cut into steps that wait here; the seed says which of those that could go on goes on next,
// and when none can, the clock jumps to the next one that will be able to.
import { AsyncLocalStorage } from "node:async_hooks";
import { type Random, randomFrom } from "../random.ts";

/** On whose behalf code runs: a process that can be killed and frozen, or, without one, the world outside. */
export interface Actor {
	readonly name: string;
	isAlive: boolean;
	/** Frozen: none of its steps has a turn before this. */
	heldUntilMs: number;
}

interface Step {
	label: string;
	actor: Actor | undefined;
	atMs: number;
	go: () => void;
}

const actors = new AsyncLocalStorage<Actor | undefined>();
/** Whatever `work` does, and sets going, is done by the actor. */
export const actAs = <T>(actor: Actor | undefined, work: () => T): T => actors.run(actor, work);
export const currentActor = () => actors.getStore();

const realImmediate = setImmediate;
/** All that can go on without a step has gone on. */
const settled = () => new Promise<void>(resolve => realImmediate(resolve));

export interface Scheduler {
	readonly random: Random;
	/** Virtual, in ms since 1970. */
	nowMs(): number;
	/** Waits for its turn, which comes in so many ms at the earliest; never, if the actor has died. */
	step(label: string, afterMs?: number): Promise<void>;
	/** Does something when its time has come, on behalf of whoever asked for it. Answers how to call it off. */
	after(ms: number, label: string, work: () => void): () => void;
	/** None of the actor's steps will ever have a turn. */
	bury(actor: Actor): void;
	/** Ends the run: `error` is what has gone wrong. */
	fail(error: Error): void;
	/** Gives turns until it is over. `before`: called before each turn. Rejects with what failed, or if it does not end. */
	run(isOver: () => boolean, before: () => void, maxTurns: number): Promise<void>;
	/** Of all turns so far: the same for the same run. */
	hash(): string;
	turns(): number;
	/** What happened, line by line, where it is wanted. */
	lines: string[] | undefined;
	note(line: string): void;
}

/** Where nothing waits, only faults may still come. */
const IDLE_MS = 100;
const START_MS = Date.UTC(2030, 0, 1);

export function createScheduler(seed: number, lines?: string[]): Scheduler {
	const random = randomFrom(seed);
	const waiting = new Set<Step>();
	let nowMs = START_MS;
	let hash = 0x811c9dc5;
	let turns = 0;
	let failure: Error | undefined;

	const note = (line: string) => {
		lines?.push(`${nowMs - START_MS} ${line}`);
		// FNV-1a.
		for (let n = 0; n < line.length; n++) hash = Math.imul(hash ^ line.charCodeAt(n), 0x01000193);
	};
	const dueMs = ({ atMs, actor }: Step) => Math.max(atMs, actor?.heldUntilMs ?? 0);

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
			// Of what is not due yet only the earliest counts.
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
		bury(actor) {
			actor.isAlive = false;
			for (const step of waiting) if (step.actor === actor) waiting.delete(step);
		},
		fail: error => {
			failure ??= error;
		},

		async run(isOver, before, maxTurns) {
			for (let left = maxTurns; left > 0; left--) {
				await settled();
				if (failure) throw failure;
				if (isOver()) return;
				before();
				const step = next();
				waiting.delete(step);
				turns++;
				note(`${step.actor?.name ?? ""} ${step.label}`);
				// Work takes time, or nothing would ever come too late.
				if (random.chance(0.5)) nowMs++;
				actAs(step.actor, step.go);
			}
			const held = [...waiting].map(({ actor, label }) => `${actor?.name ?? ""} ${label}`);
			throw new Error(`not quiet after ${maxTurns} turns; what waits: ${held.join(", ")}`);
		},

		hash: () => (hash >>> 0).toString(16).padStart(8, "0"),
		turns: () => turns,
		lines,
		note
	};
}
