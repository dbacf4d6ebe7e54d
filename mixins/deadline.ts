/**
 * A time by which somebody must have an answer, whatever has become of those whom it takes: handed on from step to step, it bounds them together.
 *
 *     const deadline = deadlineIn(4_500);
 *     const stock = await ctx.call("stock.reserve", order, { timeout: deadline.leftMs() });
 *     await deadline.bound(store.insert(order), "Postgres");          // rejects with 503 UNAVAILABLE when the time is over
 *
 * What is bounded is the answer, not the work: that may still go on and succeed.
 */
import { unavailable } from "./errors.ts";

export interface Deadline {
	isOver(): boolean;
	/** At least 1: to Moleculer a timeout of 0 is none. */
	leftMs(): number;
	/** The work's own outcome, if it comes in time; else 503 `UNAVAILABLE`, naming what was waited for. */
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
			new Promise((resolve, reject) => {
				const timer = setTimeout(() => reject(unavailable(what)), leftMs());
				const over = () => clearTimeout(timer);
				work.then(resolve, reject);
				work.then(over, over);
			})
	};
}

/**
 * A batch in which those have no part who have had their answer already, 503 `UNAVAILABLE`: what they asked for should not be done behind their back.
 *
 *     const buy = microBatch(forThoseInTime((rows: Row[]) => store.insert(rows), "Postgres"), { maxItems: 500, maxWaiting: 20_000 });
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
