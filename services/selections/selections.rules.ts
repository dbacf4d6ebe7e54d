// What counts, worked out without a store. A record's place never changes, so whoever reads the log again comes to the same result.
import type { Received } from "../define-service.ts";
import type { Count } from "../summary/summary.contract.ts";
import type { Selection, SelectionSummary } from "./selections.contract.ts";

/** A partition of the topic. One that is made anew starts at offset 0 again, in its next epoch. */
export interface Source {
	epoch: number;
	partition: number;
}

/** Where a record lies. */
export interface Place extends Source {
	offset: number;
}

/** How far a partition has been handled; -1: not at all. */
export interface Checkpoint {
	epoch: number;
	appliedOffset: number;
}

/** What one source adds to the count of a name: `n` picks, up to and including the offset. */
export interface Total {
	n: number;
	appliedOffset: number;
}

export type ReceivedPick = Received<Selection>;

export const placeOf = ({ record: { partition, offset } }: ReceivedPick, epoch: number): Place => ({ epoch, partition, offset });

/** A log that ends before what was handled of it is another one under the same name. */
export const epochOf = ({ epoch, appliedOffset }: Checkpoint, endOffset: number) =>
	endOffset <= appliedOffset ? epoch + 1 : epoch;

const isSame = (one: Place, other: Place) =>
	one.offset === other.offset && one.partition === other.partition && one.epoch === other.epoch;

/** Those whose id is new, or was first seen in this very record, which then has been handled before, wholly or in part. */
export function newPicks(picks: readonly ReceivedPick[], epoch: number, seen: ReadonlyMap<string, Place>): ReceivedPick[] {
	const places = new Map(seen);
	return picks.filter(pick => {
		const place = placeOf(pick, epoch);
		const first = places.get(pick.message.id);
		if (first === undefined) places.set(pick.message.id, place);
		return first === undefined || isSame(first, place);
	});
}

/** The totals that these picks change: each adds one to its name's, unless that has taken in its offset before. */
export function applyPicks(totals: ReadonlyMap<string, Total>, picks: readonly ReceivedPick[]): Map<string, Total> {
	const changed = new Map<string, Total>();
	for (const { message, record } of picks) {
		const { n, appliedOffset } = changed.get(message.name) ?? totals.get(message.name) ?? { n: 0, appliedOffset: -1 };
		if (record.offset > appliedOffset) changed.set(message.name, { n: n + 1, appliedOffset: record.offset });
	}
	return changed;
}

/** One message for each user and name, with the request id of that user's last pick of it. */
export function summaries(
	picks: readonly ReceivedPick[],
	counts: readonly Count[]
): { message: SelectionSummary; requestID: string }[] {
	const countOf = new Map(counts.map(({ name, count }) => [name, count]));
	const last = new Map(picks.map(pick => [JSON.stringify([pick.message.user_id, pick.message.name]), pick]));
	return [...last.values()].map(({ message: { name, user_id }, requestID }) => ({
		message: { name, count: countOf.get(name) ?? 0, user_id },
		requestID
	}));
}
