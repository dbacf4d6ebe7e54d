// Runs handlers: messages of one key in order, different keys at the same time. A message whose handler keeps failing is refused; when a
// dependency is unavailable, the rest of the batch waits.
import { type Backoff, createBackoff } from "../backoff.ts";
import { isClientError } from "../errors.ts";
import type { Handled, Received } from "./handler-types.ts";
import type { Batch } from "./topic-log.ts";

export interface Outcome {
	/** All before this offset is handled or refused. */
	next: number;
	/** Messages that become dead letters, by offset. */
	refused: Map<number, { type?: string; message: string }>;
	/** The offsets of the messages whose handler succeeded; they may lie behind `next`, where another key waits. */
	handled: number[];
	/** How many of them had been handled before. */
	duplicates: number;
	/** Why `next` is not the end of the batch. */
	waitingFor?: string;
}

export interface RunOptions {
	attempts: number;
	/** How many keys at the same time. */
	concurrency: number;
	isUnavailable(error: Error): boolean;
}

const BACKOFF = { firstMs: 20, longestMs: 1_000 };

type Attempt = { handled: Handled | void } | { unavailable: Error } | { refused: Error };

/**
 * Runs a handler until it succeeds, a dependency is unavailable, or it has failed for the last time. A client error (4xx) is a judgement on
 * the message and is not retried; any other error may be passing.
 */
async function attempt(
	run: () => Promise<Handled | void>,
	isCurrent: () => boolean,
	{ attempts, isUnavailable }: RunOptions
): Promise<Attempt> {
	let backoff: Backoff | undefined;
	for (let failures = 1; ; failures++) {
		try {
			return { handled: await run() };
		} catch (thrown) {
			const error = thrown instanceof Error ? thrown : new Error(String(thrown));
			if (isUnavailable(error) || !isCurrent()) return { unavailable: error };
			if (isClientError(error) || failures >= attempts) return { refused: error };
		}
		backoff ??= createBackoff(BACKOFF);
		await backoff.pause();
	}
}

const emptyOutcome = ({ records }: Pick<Batch, "records">): Outcome => ({
	next: records.at(-1)!.offset + 1,
	refused: new Map(),
	handled: [],
	duplicates: 0
});

const addHandled = (outcome: Outcome, some: Received<unknown>[], handled: Handled | void) => {
	for (const { record } of some) outcome.handled.push(record.offset);
	outcome.duplicates += handled?.duplicates ?? 0;
};

/** Runs the handler for one message at a time of each key, for many keys at once. */
export async function runPerKey(
	messages: Received<unknown>[],
	run: (received: Received<unknown>) => Promise<Handled | void>,
	batch: Pick<Batch, "records" | "isCurrent">,
	options: RunOptions
): Promise<Outcome> {
	const outcome = emptyOutcome(batch);
	const byKey = Map.groupBy(messages, ({ record }) => String(record.key));
	const queue = [...byKey.values()];

	const runKey = async (ofKey: Received<unknown>[]) => {
		for (const received of ofKey) {
			const { offset } = received.record;
			// Everything from `next` on is delivered again anyway.
			if (offset > outcome.next) return;
			const result = await attempt(() => run(received), batch.isCurrent, options);
			if ("handled" in result) addHandled(outcome, [received], result.handled);
			else if ("refused" in result) outcome.refused.set(offset, result.refused);
			else {
				if (offset < outcome.next) Object.assign(outcome, { next: offset, waitingFor: result.unavailable.message });
				return;
			}
		}
	};
	const worker = async () => {
		for (let ofKey = queue.shift(); ofKey; ofKey = queue.shift()) await runKey(ofKey);
	};
	await Promise.all(Array.from({ length: Math.min(options.concurrency, queue.length) }, worker));
	return outcome;
}

/** Runs the handler for all messages at once; when that fails for good, for each half, down to the one message that is at fault. */
export async function runBatch(
	messages: Received<unknown>[],
	run: (received: Received<unknown>[]) => Promise<Handled | void>,
	batch: Pick<Batch, "records" | "isCurrent">,
	options: RunOptions
): Promise<Outcome> {
	const outcome = emptyOutcome(batch);

	const runPart = async (some: Received<unknown>[]): Promise<boolean> => {
		if (some.length === 0) return true;
		const result = await attempt(() => run(some), batch.isCurrent, options);
		const first = some[0]!.record.offset;
		if ("handled" in result) {
			addHandled(outcome, some, result.handled);
			return true;
		}
		if ("unavailable" in result) {
			Object.assign(outcome, { next: first, waitingFor: result.unavailable.message });
			return false;
		}
		if (some.length === 1) {
			outcome.refused.set(first, result.refused);
			return true;
		}
		const middle = some.length >> 1;
		return (await runPart(some.slice(0, middle))) && runPart(some.slice(middle));
	};
	await runPart(messages);
	return outcome;
}
