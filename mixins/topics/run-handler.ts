// How handlers are run: keys side by side, a key in order; what is refused is set aside, what must wait stops the line.
import { setTimeout as delay } from "node:timers/promises";
import { isUnavailable } from "../errors.ts";
import type { Handled, Received } from "./handler-types.ts";
import type { Batch } from "./topic-log.ts";

export interface Outcome {
	/** All before this offset is handled or refused. */
	next: number;
	/** Messages that were given up, by offset. */
	refused: Map<number, { type?: string; message: string }>;
	/** The offsets of those that the handler took: of other keys than the one that waits, also behind it. */
	handled: number[];
	/** So many of them it had taken before. */
	duplicates: number;
	/** Why it stopped short of the end. */
	waitingFor?: string;
}

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 20;
const MAX_LANES = 64;

const isRefusal = (error: unknown) => {
	const { code } = error as { code?: unknown };
	return typeof code === "number" && code >= 400 && code < 500;
};

type Tried = { handled: Handled | void } | { away: Error } | { refused: Error };

/**
 * Runs a handler until it succeeds, or something it needs is away, or it has failed for the last time. A stock client error (4xx) is a
 * judgement on the message and is believed at once; anything else may be a passing fault and is tried five times.
 */
async function attempt(run: () => Promise<Handled | void>, isCurrent: () => boolean): Promise<Tried> {
	for (let failures = 1, pauseMs = FIRST_PAUSE_MS; ; failures++, pauseMs *= 2) {
		try {
			return { handled: await run() };
		} catch (error) {
			if (isUnavailable(error) || !isCurrent()) return { away: error as Error };
			if (isRefusal(error) || failures === ATTEMPTS) return { refused: error as Error };
		}
		await delay(pauseMs);
	}
}

const reason = (error: Error) => error.message;

const begin = (end: number): Outcome => ({ next: end, refused: new Map(), handled: [], duplicates: 0 });

const took = (outcome: Outcome, some: Received<unknown>[], handled: Handled | void) => {
	for (const { record } of some) outcome.handled.push(record.offset);
	outcome.duplicates += handled?.duplicates ?? 0;
};

/** One message at a time of each key, many keys at once. */
export async function runPerKey(
	messages: Received<unknown>[],
	run: (received: Received<unknown>) => Promise<Handled | void>,
	{ isCurrent }: Pick<Batch, "isCurrent">,
	end: number
): Promise<Outcome> {
	const outcome = begin(end);
	const lanes = Map.groupBy(messages, ({ record }) => String(record.key));
	const open = [...lanes.values()];

	const runLane = async (lane: Received<unknown>[]) => {
		for (const received of lane) {
			const { offset } = received.record;
			// Past the point where the batch will be taken up again there is nothing to gain.
			if (offset > outcome.next) return;
			const tried = await attempt(() => run(received), isCurrent);
			if ("handled" in tried) took(outcome, [received], tried.handled);
			else if ("refused" in tried) outcome.refused.set(offset, tried.refused);
			else {
				if (offset < outcome.next) Object.assign(outcome, { next: offset, waitingFor: reason(tried.away) });
				return;
			}
		}
	};
	const worker = async () => {
		for (let lane = open.shift(); lane; lane = open.shift()) await runLane(lane);
	};
	await Promise.all(Array.from({ length: Math.min(MAX_LANES, open.length) }, worker));
	return outcome;
}

/** All at once; when that fails for good, in halves, down to the one message that is at fault. */
export async function runBatch(
	messages: Received<unknown>[],
	run: (received: Received<unknown>[]) => Promise<Handled | void>,
	batch: Pick<Batch, "isCurrent">,
	end: number
): Promise<Outcome> {
	const outcome = begin(end);

	const halve = async (some: Received<unknown>[]): Promise<boolean> => {
		if (some.length === 0) return true;
		const tried = await attempt(() => run(some), batch.isCurrent);
		const first = some[0]!.record.offset;
		if ("handled" in tried) {
			took(outcome, some, tried.handled);
			return true;
		}
		if ("away" in tried) {
			Object.assign(outcome, { next: first, waitingFor: reason(tried.away) });
			return false;
		}
		if (some.length === 1) {
			outcome.refused.set(first, tried.refused);
			return true;
		}
		const middle = some.length >> 1;
		return (await halve(some.slice(0, middle))) && halve(some.slice(middle));
	};
	await halve(messages);
	return outcome;
}
