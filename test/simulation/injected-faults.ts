// The faults that the simulation injects, and their rates: drawn for each history, because a bug may require some faults and the absence of others.
import { unavailable } from "../../mixins/errors.ts";
import { currentActor, type Scheduler } from "./scheduler.ts";

const KINDS = [
	"refused",
	"lost",
	"partial",
	"slow",
	"unavailable",
	"crash",
	"freeze",
	"rewind",
	"reassign",
	"data loss",
	"stall"
] as const;
export type Fault = (typeof KINDS)[number];
/** Maximum rate of each enabled fault: per call (refused, lost, partial, slow, stall), or per scheduler step (all others). */
const MAX_RATES: Record<Fault, number> = {
	refused: 0.1,
	lost: 0.15,
	partial: 0.5,
	slow: 0.1,
	unavailable: 0.004,
	crash: 0.01,
	freeze: 0.02,
	rewind: 0.02,
	reassign: 0.02,
	"data loss": 0.01,
	stall: 0.01
};
/** Network delay of a call, in each direction. */
const MAX_DELAY_MS = 10;
const STALL_MS = [6_000, 20_000] as const;
const MAX_SLOW_DELAY_MS = 3_000;

export interface Faults {
	/** Decides whether to inject this fault now. */
	shouldInject(fault: Fault): boolean;
	/** Stops injecting faults. */
	end(): void;
	readonly isOver: boolean;
}

export function drawFaults({ random }: Scheduler): Faults {
	const rates = Object.fromEntries(KINDS.map(kind => [kind, random.chance(0.5) ? MAX_RATES[kind] * random.next() : 0])) as Record<
		Fault,
		number
	>;
	let isOver = false;
	return {
		shouldInject: fault => !isOver && random.chance(rates[fault]),
		end: () => {
			isOver = true;
		},
		get isOver() {
			return isOver;
		}
	};
}

/** A server outside the simulated processes. */
export interface Server {
	/** Executes `effect` atomically, with a scheduler step before and after. May reject with `UNAVAILABLE`, before or after the effect. */
	request<T>(what: string, effect: () => T): Promise<T>;
	/** The server is unavailable for this time. */
	makeUnavailable(forMs: number): void;
	isUnavailable(): boolean;
}

export function serverNamed(name: string, scheduler: Scheduler, faults: Faults): Server {
	let unavailableUntilMs = 0;
	const isUnavailable = () => scheduler.nowMs() < unavailableUntilMs && !faults.isOver;
	const slowMs = () => scheduler.random.between(0, faults.shouldInject("slow") ? MAX_SLOW_DELAY_MS : MAX_DELAY_MS);
	return {
		async request(what, effect) {
			await scheduler.step(`${name} ${what}`, slowMs());
			if (isUnavailable() || faults.shouldInject("refused")) throw unavailable(name);
			const answer = effect();
			// Delay the caller now, so that it reads an outdated answer.
			const actor = currentActor();
			if (actor && faults.shouldInject("stall")) actor.frozenUntilMs = scheduler.nowMs() + scheduler.random.between(...STALL_MS);
			await scheduler.step(`${name} ${what} answered`, slowMs());
			if (faults.shouldInject("lost")) throw unavailable(name);
			return answer;
		},
		makeUnavailable: forMs => {
			unavailableUntilMs = scheduler.nowMs() + forMs;
		},
		isUnavailable
	};
}
