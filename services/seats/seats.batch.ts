// Batches of requests that change holds: those of a batch share their transactions.
import { toRefusal } from "../../mixins/database/database-errors.ts";
import { type Deadline, deadlineIn, skipExpired } from "../../mixins/deadline.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { type Meta, turnKeyOf } from "../define-service.ts";

/** Few, so that the transactions of the next batch need not wait long for the locks of the show. */
const BATCH = { maxItems: 128, maxWaiting: 20_000, name: "Postgres" };

/** What waits for a batch. */
interface Waiting<Item> {
	item: Item;
	turnKey: string;
	deadline: Deadline;
}

/** Rejects with `UNAVAILABLE` if Postgres is unavailable, or has not answered before the deadline. */
export const within = <T>(deadline: Deadline, work: Promise<T>): Promise<T> =>
	deadline.bound(work, "Postgres").catch(error => Promise.reject(toRefusal(error)));

/**
 * Returns the function that makes batches of one kind: `run` answers a batch, each item with its answer or its error. Of each batch one line is logged, with
 * the holds of the requests that succeeded: at thousands a second, a line for each request would cost more than its work. `timeoutMs`: of `run`.
 */
export const batchesOf =
	({ timeoutMs, log }: { timeoutMs: number; log: (line: string) => void }) =>
	<Item extends { holdId: string }, Answer>(
		run: (items: Item[]) => Promise<(Answer | Error)[]>,
		logText: string,
		concurrency: number
	) => {
		const runAndLog = async (items: Item[]) => {
			const answers = await within(deadlineIn(timeoutMs), run(items));
			const ids = new Set(items.flatMap(({ holdId }, n) => (answers[n] instanceof Error ? [] : [holdId])));
			if (ids.size > 0) log(`${logText}: ${[...ids].join(" ")}`);
			return answers;
		};
		const batch = microBatch<Waiting<Item>, Answer>(skipExpired(runAndLog, "Postgres"), {
			...BATCH,
			concurrency,
			keyOf: ({ turnKey }) => turnKey
		});
		return (item: Item, meta: Meta, deadline: Deadline) =>
			deadline.bound(batch({ item, turnKey: turnKeyOf(meta), deadline }), "Postgres");
	};
