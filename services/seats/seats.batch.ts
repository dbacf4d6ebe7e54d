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

/** Logs a line at level info. */
export type LogBatch = (line: string, context: { requestIDs: (string | undefined)[] }) => void;

/** Logs one line for what a batch has done: at thousands a second, a line for each request would cost more than its work. */
export function logBatch(log: LogBatch, text: string, done: { id: string; requestID?: string }[]) {
	if (done.length === 0) return;
	const ids = new Set(done.map(({ id }) => id));
	log(`${text}: ${[...ids].join(" ")}`, { requestIDs: done.map(({ requestID }) => requestID) });
}

/**
 * Returns the function that makes batches of one kind: `run` answers a batch, each item with its answer or its error. Of each batch one line is logged, with
 * the holds and the ids of the requests that succeeded. `timeoutMs`: of `run`.
 */
export const batchesOf =
	({ timeoutMs, log }: { timeoutMs: number; log: LogBatch }) =>
	<Item extends { holdId: string; requestID?: string }, Answer>(
		run: (items: Item[]) => Promise<(Answer | Error)[]>,
		logText: string,
		concurrency: number
	) => {
		const runAndLog = async (items: Item[]) => {
			const answers = await within(deadlineIn(timeoutMs), run(items));
			const done = items.filter((_, n) => !(answers[n] instanceof Error));
			logBatch(
				log,
				logText,
				done.map(({ holdId, requestID }) => ({ id: holdId, requestID }))
			);
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
