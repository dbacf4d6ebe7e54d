import type { Count } from "../summary/summary.contract.ts";
import { applyPicks, epochOf, newPicks, placeOf, type ReceivedPick } from "./selections.rules.ts";
import type { SelectionStore } from "./selections.store.ts";

/** What one partition hands over: picks in order. See `HandleBatch` in mixins/topics/handler-types.ts. */
export interface PickBatch {
	received: ReceivedPick[];
	partition: number;
	endOffset: number;
	first: boolean;
}

export interface CountedPicks {
	/** The picks that count, those among them that had been counted before this too. */
	picks: ReceivedPick[];
	/** The counts of their names, after them. */
	counts: Count[];
}

/**
 * Counts what the partitions of a topic hand over. It may be handed over again, from any offset on, cut in other places, after a stop between
 * any two of these steps, or by two owners at once: every step writes only what follows from the log up to some record.
 */
export function tally(store: SelectionStore) {
	const epochs = new Map<number, number>();

	const epochFor = async ({ partition, endOffset, first }: PickBatch): Promise<number> => {
		if (first) epochs.delete(partition);
		let epoch = epochs.get(partition);
		if (epoch === undefined) {
			const checkpoint = await store.checkpoint(partition);
			epoch = epochOf(checkpoint, endOffset);
			// On record before anything is stored under it, or nobody would know of it after a crash once the log has grown past the old one's end.
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
		await store.add(fresh.map(pick => ({ ...pick.message, ...placeOf(pick, epoch) })));

		const checkpoint = { epoch, appliedOffset: received.at(-1)!.record.offset };
		await Promise.all([store.setTotals(source, applyPicks(before, picks)), store.setCheckpoint(partition, checkpoint)]);

		// Only now, with this partition's part in place: of two that count one name at the same time, the later sees both.
		const counts = await store.counts([...new Set(picks.map(({ message }) => message.name))]);
		return { picks, counts };
	};
}
