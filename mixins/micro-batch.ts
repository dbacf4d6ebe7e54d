/**
 * Collects calls that arrive while the previous batch runs and runs them as one batch (group commit): a single caller waits for nothing, and
 * many callers share one round trip.
 *
 *     const insert = microBatch((rows: Row[]) => store.insert(rows), { maxItems: 500, maxWaiting: 20_000 });
 *     const answer = await insert(row);
 */
import { unavailable } from "./errors.ts";
import { fairQueue } from "./fair-queue.ts";

export interface MicroBatchOptions<Item> {
	/** The largest batch. */
	maxItems: number;
	/**
	 * For items of very different sizes: the largest sum of sizes in a batch, so that one turn of the event loop and one statement stay short. An item
	 * that is larger runs alone.
	 */
	sizes?: { sizeOf: (item: Item) => number; max: number };
	/**
	 * The client that an item belongs to: clients take turns, so that one with many calls delays the calls of another by a batch at most. Default: all
	 * items belong to one client, and run in the order of their arrival.
	 */
	keyOf?: (item: Item) => string;
	/** How many calls may wait; one more rejects with `UNAVAILABLE`, so that memory stays limited when the store is slow. */
	maxWaiting: number;
	/** How many batches run at once; with more than one, order is lost. Default 1. */
	concurrency?: number;
	/** What the rejection names as unavailable. Default `the store`. */
	name?: string;
}

interface Call<Item, Answer> {
	item: Item;
	resolve(answer: Answer): void;
	reject(error: unknown): void;
}

/** `run` answers each item, in order: an `Error` in an item's place rejects that call alone, a throw rejects all of them. */
export function microBatch<Item, Answer>(run: (items: Item[]) => Promise<(Answer | Error)[]>, options: MicroBatchOptions<Item>) {
	const { maxItems, sizes, keyOf = () => "", maxWaiting, concurrency = 1, name = "the store" } = options;
	const waiting = fairQueue<Call<Item, Answer>>(({ item }) => keyOf(item));
	let running = 0;

	const takeBatch = () => {
		const batch: Call<Item, Answer>[] = [];
		let size = 0;
		for (let next = waiting.peek(); next && batch.length < maxItems; next = waiting.peek()) {
			if (sizes) size += sizes.sizeOf(next.item);
			if (sizes && size > sizes.max && batch.length > 0) break;
			batch.push(next);
			waiting.take();
		}
		return batch;
	};

	const drain = async () => {
		running++;
		// Calls of the same turn of the event loop join the first batch: a burst becomes one batch, not one call and the rest.
		await new Promise(setImmediate);
		while (waiting.length > 0) {
			const batch = takeBatch();
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
