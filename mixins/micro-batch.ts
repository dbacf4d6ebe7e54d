/**
 * Collects calls that arrive while the previous batch runs and runs them as one batch (group commit): a single caller waits for nothing, and
 * many callers share one round trip.
 *
 *     const insert = microBatch((rows: Row[]) => store.insert(rows), { maxItems: 500, maxWaiting: 20_000 });
 *     const answer = await insert(row);
 */
import { unavailable } from "./errors.ts";

export interface MicroBatchOptions<Item> {
	/** The largest batch. */
	maxItems: number;
	/**
	 * For items of very different sizes: the largest sum of sizes in a batch, so that one turn of the event loop and one statement stay short. An item
	 * that is larger runs alone.
	 */
	sizes?: { sizeOf: (item: Item) => number; max: number };
	/** How many calls may wait; one more rejects with `UNAVAILABLE`, so that memory stays limited when the store is slow. */
	maxWaiting: number;
	/** How many batches run at once; with more than one, order is lost. Default 1. */
	concurrency?: number;
	/** What the rejection names as unavailable. Default `the store`. */
	name?: string;
}

/** `run` answers each item, in order: an `Error` in an item's place rejects that call alone, a throw rejects all of them. */
export function microBatch<Item, Answer>(run: (items: Item[]) => Promise<(Answer | Error)[]>, options: MicroBatchOptions<Item>) {
	const { maxItems, sizes, maxWaiting, concurrency = 1, name = "the store" } = options;
	const waiting: { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
	let running = 0;

	/** How many of the waiting items the next batch has. */
	const batchLength = () => {
		const most = Math.min(maxItems, waiting.length);
		if (!sizes) return most;
		let length = 0;
		for (let sum = 0; length < most; length++) {
			sum += sizes.sizeOf(waiting[length]!.item);
			if (sum > sizes.max) break;
		}
		return Math.max(1, length);
	};

	const drain = async () => {
		running++;
		// Calls of the same turn of the event loop join the first batch: a burst becomes one batch, not one call and the rest.
		await new Promise(setImmediate);
		while (waiting.length > 0) {
			const batch = waiting.splice(0, batchLength());
			try {
				const answers = await run(batch.map(({ item }) => item));
				batch.forEach(({ resolve, reject }, index) => {
					const answer = answers[index] as Answer | Error;
					if (answer instanceof Error) reject(answer);
					else resolve(answer);
				});
			} catch (error) {
				for (const { reject } of batch) reject(error);
			}
		}
		running--;
	};

	return (item: Item): Promise<Answer> => {
		if (waiting.length >= maxWaiting) return Promise.reject(unavailable(name));
		return new Promise((resolve, reject) => {
			waiting.push({ item, resolve, reject });
			if (running < concurrency) void drain();
		});
	};
}
