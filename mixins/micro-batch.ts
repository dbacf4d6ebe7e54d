/**
 * Collects what arrives while the previous batch is under way and hands it over as one: a lone caller waits for nothing,
 * a crowd shares one round trip (group commit).
 *
 *     const insert = microBatch((rows: Row[]) => store.insert(rows), { maxItems: 500, maxWaiting: 20_000 });
 *     const answer = await insert(row);
 */
import { unavailable } from "./errors.ts";

export interface MicroBatchOptions {
	/** The most that go into one batch. */
	maxItems: number;
	/** The most that may wait; one more is refused with `UNAVAILABLE`, so that memory stays bounded when the other side is slow. */
	maxWaiting: number;
	/** Batches under way at once; more than one gives up order. Default 1. */
	concurrency?: number;
	/** What to call the other side in the refusal. */
	name?: string;
}

/** `run` answers each item, in order; an `Error` in an item's place rejects that item alone, a throw rejects them all. */
export function microBatch<Item, Answer>(run: (items: Item[]) => Promise<(Answer | Error)[]>, options: MicroBatchOptions) {
	const { maxItems, maxWaiting, concurrency = 1, name = "the store" } = options;
	const waiting: { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
	let running = 0;

	const next = async () => {
		running++;
		// What the event loop delivers in this very turn still joins: a burst of frames becomes one batch, not one and a rest.
		await new Promise(setImmediate);
		while (waiting.length > 0) {
			const batch = waiting.splice(0, maxItems);
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
			if (running < concurrency) void next();
		});
	};
}
