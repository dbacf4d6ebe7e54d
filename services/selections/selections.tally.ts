import type { Count } from "../summary/summary.contract.ts";
import { applyPicks, epochOf, newPicks, positionOf, type ReceivedPick } from "./selections.rules.ts";
import type { SelectionStore } from "./selections.store.ts";

/** A batch of one partition, in order. See `HandleBatch` in mixins/topics/handler-types.ts. */
export interface PickBatch {
	received: ReceivedPick[];
	partition: number;
	endOffset: number;
	first: boolean;
}

export interface CountedPicks {
	/** The picks that count, including those that an interrupted or repeated batch has counted before. */
	picks: ReceivedPick[];
	/** The counts of their names after this batch. */
	counts: Count[];
}

/**
 * Counts the picks of a topic. Batches may be redelivered from any offset, with other boundaries, after a crash between any two of these steps, or
 * to two owners at once: every step stores a total together with the offset it includes, so an older write never replaces a newer one.
 */
export function tally(store: SelectionStore) {
	const epochs = new Map<number, number>();

	const epochFor = async ({ partition, endOffset, first }: PickBatch): Promise<number> => {
		if (first) epochs.delete(partition);
		let epoch = epochs.get(partition);
		if (epoch === undefined) {
			const checkpoint = await store.checkpoint(partition);
			epoch = epochOf(checkpoint, endOffset);
			// Stored before anything uses it: if the node crashes and the new log has then grown past the stored offset, nothing would show that it is new.
			if (epoch > checkpoint.epoch) await store.setCheckpoint(partition, { epoch, appliedOffset: -1 });
			epochs.set(partition, epoch);
		}
		return epoch;
	};

	return async (batch: PickBatch): Promise<CountedPicks> => {
		const { received, partition } = batch;
		const epoch = await epochFor(batch);
		const source = { epoch, partition };
		const ids = new Set(received.map(({ message }) => message.id));
		const names = new Set(received.map(({ message }) => message.name));
		const [seen, before] = await Promise.all([store.seen([...ids]), store.totals(source, [...names])]);
		const picks = newPicks(received, epoch, seen);

		const fresh = picks.filter(({ message }) => !seen.has(message.id));
		await store.add(fresh.map(pick => ({ ...pick.message, ...positionOf(pick, epoch) })));

		const checkpoint = { epoch, appliedOffset: received.at(-1)!.record.offset };
		await Promise.all([store.setTotals(source, applyPicks(before, picks)), store.setCheckpoint(partition, checkpoint)]);

		// Read after this partition's total is written: if two partitions count one name concurrently, the later read sees both totals.
		const counts = await store.counts([...new Set(picks.map(({ message }) => message.name))]);
		return { picks, counts };
	};
}
