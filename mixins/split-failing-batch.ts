/**
 * Runs a batch. If it fails because of one of its items, runs each half of it, down to the item that fails alone.
 *
 *     const results = await splitFailingBatch(rows, insertAll, {
 *       isItemError: isDataError,                                      // other errors concern the whole batch: no split
 *       onFailure: (failed, error) => failed.map(() => error as Error)
 *     });
 */
export interface SplitOptions<Item, Result> {
	/** Whether the error may be caused by a single item. */
	isItemError(error: unknown): boolean;
	/** The results of a part that failed: one item, or several after an error of the whole batch. May throw, which ends everything. */
	onFailure(items: Item[], error: unknown): Result[];
}

/** The halves run one after the other, and their results are joined in order. `run` must have no effect when it throws. */
export async function splitFailingBatch<Item, Result>(
	items: Item[],
	run: (items: Item[]) => Promise<Result[]>,
	options: SplitOptions<Item, Result>
): Promise<Result[]> {
	try {
		return await run(items);
	} catch (error) {
		if (items.length <= 1 || !options.isItemError(error)) return options.onFailure(items, error);
		const middle = items.length >> 1;
		const first = await splitFailingBatch(items.slice(0, middle), run, options);
		return [...first, ...(await splitFailingBatch(items.slice(middle), run, options))];
	}
}
