// What goes wrong, and how often: drawn anew for each history, for a bug may need some faults to happen and others not to.
import { unavailable } from "../../mixins/errors.ts";
import { currentActor, type Scheduler } from "./scheduler.ts";

const KINDS = ["refused", "lost", "partial", "slow", "away", "crash", "freeze", "rewind", "reassign", "forget", "stall"] as const;
export type Fault = (typeof KINDS)[number];
/** How often, where it happens at all: of calls (refused, lost, partial, slow, stall), of turns (all others). */
const MOST: Record<Fault, number> = {
	refused: 0.1,
	lost: 0.15,
	partial: 0.5,
	slow: 0.1,
	away: 0.004,
	crash: 0.01,
	freeze: 0.02,
	rewind: 0.02,
	reassign: 0.02,
	forget: 0.01,
	stall: 0.01
};
/** Of a call, each way. */
const LONGEST_MS = 10;
const STALL_MS = [6_000, 20_000] as const;
const LONGEST_SLOW_MS = 3_000;

export interface Faults {
	/** Whether this is to happen here and now. */
	hits(fault: Fault): boolean;
	/** From now on all goes well. */
	end(): void;
	readonly isOver: boolean;
}

export function drawFaults({ random }: Scheduler): Faults {
	const rates = Object.fromEntries(KINDS.map(kind => [kind, random.chance(0.5) ? MOST[kind] * random.next() : 0])) as Record<
		Fault,
		number
	>;
	let isOver = false;
	return {
		hits: fault => !isOver && random.chance(rates[fault]),
		end: () => {
			isOver = true;
		},
		get isOver() {
			return isOver;
		}
	};
}

/** Something outside the processes that they ask: a server. */
export interface Server {
	/** Does it there, in one go: waits for its turn before and after, and may be refused, or done without the answer coming back. */
	ask<T>(what: string, effect: () => T): Promise<T>;
	/** Does not answer for so long. */
	leave(forMs: number): void;
	isAway(): boolean;
}

export function serverNamed(name: string, scheduler: Scheduler, faults: Faults): Server {
	let awayUntilMs = 0;
	const isAway = () => scheduler.nowMs() < awayUntilMs && !faults.isOver;
	const slowMs = () => scheduler.random.between(0, faults.hits("slow") ? LONGEST_SLOW_MS : LONGEST_MS);
	return {
		async ask(what, effect) {
			await scheduler.step(`${name} ${what}`, slowMs());
			if (isAway() || faults.hits("refused")) throw unavailable(name);
			const answer = effect();
			// Whoever asked is held up with an answer that will be old by the time it is read.
			const actor = currentActor();
			if (actor && faults.hits("stall")) actor.heldUntilMs = scheduler.nowMs() + scheduler.random.between(...STALL_MS);
			await scheduler.step(`${name} ${what} answered`, slowMs());
			if (faults.hits("lost")) throw unavailable(name);
			return answer;
		},
		leave: forMs => {
			awayUntilMs = scheduler.nowMs() + forMs;
		},
		isAway
	};
}
