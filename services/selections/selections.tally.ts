import type { Count } from "../summary/summary.contract.ts";
import { applyPicks, epochOf, newPicks, positionOf, type ReceivedPick, type Source, type Total } from "./selections.rules.ts";
import type { SelectionStore } from "./selections.store.ts";

/** A batch of one partition, in order. See `HandleBatch` in mixins/topics/handler-types.ts. */
export interface PickBatch {
	received: ReceivedPick[];
	partition: number;
	endOffset: number;
	currentEnd(): Promise<number>;
	first: boolean;
}

export interface CountedPicks {
	/** The picks that count, including those that an interrupted or repeated batch has counted before. */
	picks: ReceivedPick[];
	/** The counts of their names after this batch. */
	counts: Count[];
}

/** What the owner of a partition remembers from one batch to the next. */
interface Remembered {
	epoch: number;
	/** The stored totals, by name. */
	totals: Map<string, Total>;
}

/** For each partition. A foreign client may pick any number of names; forgetting them costs a read. */
const MAX_REMEMBERED_NAMES = 1_000;
const NO_PICKS: Total = { picks: 0, appliedOffset: -1 };

/**
 * Counts the picks of a topic. Batches may be redelivered from any offset, with other boundaries, after a crash between any two of these steps, or
 * to two owners at once: every step stores a total together with the offset it includes, so an older write never replaces a newer one.
 */
export function tally(store: SelectionStore) {
	const partitions = new Map<number, Remembered>();

	const rememberedOf = async ({ partition, endOffset, currentEnd, first }: PickBatch): Promise<Remembered> => {
		if (first) partitions.delete(partition);
		const known = partitions.get(partition);
		if (known) return known;
		const checkpoint = await store.checkpoint(partition);
		// A batch that waited for long may end before what another owner has handled since: then the log's present end decides.
		const epoch = epochOf(checkpoint, endOffset > checkpoint.appliedOffset ? endOffset : await currentEnd());
		// Stored before anything uses it: if the node crashes and the new log has then grown past the stored offset, nothing would show that it is new.
		if (epoch > checkpoint.epoch)
			await store.write({ epoch, partition }, { selections: [], totals: new Map(), appliedOffset: -1 });
		const remembered = { epoch, totals: new Map() };
		partitions.set(partition, remembered);
		return remembered;
	};

	/** Adds the totals of the names that are not among them. */
	const readMissing = async (totals: Map<string, Total>, source: Source, names: ReadonlySet<string>) => {
		const missing = [...names].filter(name => !totals.has(name));
		if (missing.length === 0) return;
		const stored = await store.totals(source, missing);
		for (const name of missing) totals.set(name, stored.get(name) ?? NO_PICKS);
	};

	return async (batch: PickBatch): Promise<CountedPicks> => {
		const { received, partition } = batch;
		const remembered = await rememberedOf(batch);
		const { epoch, totals } = remembered;
		// Put back once they are stored: a step that fails may have stored a part, so after it the totals are read again.
		remembered.totals = new Map();
		const source = { epoch, partition };
		const ids = new Set(received.map(({ message }) => message.id));
		const names = new Set(received.map(({ message }) => message.name));
		const [seen] = await Promise.all([store.seen([...ids]), readMissing(totals, source, names)]);
		const picks = newPicks(received, epoch, seen);

		const fresh = picks.filter(({ message }) => !seen.has(message.id));
		const changed = applyPicks(totals, picks);
		await store.write(source, {
			selections: fresh.map(pick => ({ ...pick.message, ...positionOf(pick, epoch) })),
			totals: changed,
			appliedOffset: received.at(-1)!.record.offset
		});
		for (const [name, total] of changed) totals.set(name, total);
		if (totals.size <= MAX_REMEMBERED_NAMES) remembered.totals = totals;

		// Read after this partition's total is written: if two partitions count one name concurrently, the later read sees both totals.
		const counts = await store.counts([...new Set(picks.map(({ message }) => message.name))]);
		return { picks, counts };
	};
}
