/**
 * A time by which a caller must have an answer. Pass it from step to step: it limits all of them together.
 *
 *     const deadline = deadlineIn(4_500);
 *     const stock = await ctx.call("stock.reserve", order, { timeout: deadline.leftMs() });
 *     await deadline.bound(store.insert(order), "Postgres");          // rejects with 503 UNAVAILABLE when the time is over
 *
 * Only the answer is limited, not the work: it continues and may still succeed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { unavailable } from "./errors.ts";

/** The outcome of `work`, or what `onTimeout` returns or throws when `ms` pass first. The work itself continues. */
export function withTimeout<T>(work: Promise<T>, ms: number, onTimeout: () => T): Promise<T> {
	return new Promise((resolve, reject) => {
		const expire = () => {
			try {
				resolve(onTimeout());
			} catch (error) {
				reject(error);
			}
		};
		const timer = setTimeout(expire, ms);
		const clear = () => clearTimeout(timer);
		work.then(resolve, reject);
		work.then(clear, clear);
	});
}

/** Waits for `work`, but not longer than `ms`. Rejects as the work does in that time. Its timer does not keep the process alive. */
export async function waitAtMost(work: Promise<unknown>, ms: number): Promise<void> {
	const waiting = new AbortController();
	try {
		await Promise.race([work, delay(ms, undefined, { ref: false, signal: waiting.signal }).catch(() => {})]);
	} finally {
		waiting.abort();
	}
}

export interface Deadline {
	isOver(): boolean;
	/** At least 1: to Moleculer a timeout of 0 is none. */
	leftMs(): number;
	/** The outcome of the work if it comes in time; else rejects with 503 `UNAVAILABLE` that names `what`. */
	bound<T>(work: Promise<T>, what: string): Promise<T>;
}

/** See the top of this file. */
export function deadlineIn(ms: number, clock = () => performance.now()): Deadline {
	const endMs = clock() + ms;
	const leftMs = () => Math.max(1, Math.floor(endMs - clock()));
	return {
		isOver: () => clock() >= endMs,
		leftMs,
		bound: (work, what) =>
			withTimeout(work, leftMs(), () => {
				throw unavailable(what, new Error(`no answer within ${ms} ms`));
			})
	};
}

/** A caller has its answer this much before its call times out. */
const ANSWER_MS = 500;

/**
 * The deadline of an action: `maxMs`, or earlier if the timeout of its call is. Otherwise work could begin after the caller has got its 503.
 *
 *     const deadline = deadlineOf(ctx, 4_500);
 */
export const deadlineOf = (
	{ options }: { options: { timeout?: number | null } },
	maxMs: number,
	clock?: () => number
): Deadline => deadlineIn(options.timeout ? Math.max(1, Math.min(maxMs, options.timeout - ANSWER_MS)) : maxMs, clock);

/**
 * Leaves out of a batch the items whose deadline is over and rejects them with 503 `UNAVAILABLE`: their callers have had that answer already,
 * and must not find the work done later.
 *
 *     const buy = microBatch(skipExpired((rows: Row[]) => store.insert(rows), "Postgres"), { maxItems: 500, maxWaiting: 20_000 });
 *     await deadline.bound(buy({ item: row, deadline }), "Postgres");
 */
export const skipExpired =
	<Item, Answer>(batch: (items: Item[]) => Promise<(Answer | Error)[]>, what: string) =>
	async (waiting: { item: Item; deadline: Deadline }[]): Promise<(Answer | Error)[]> => {
		const inTime = waiting.filter(({ deadline }) => !deadline.isOver());
		const answers = inTime.length > 0 ? await batch(inTime.map(({ item }) => item)) : [];
		let next = 0;
		return waiting.map(one => (one === inTime[next] ? answers[next++]! : unavailable(what)));
	};
