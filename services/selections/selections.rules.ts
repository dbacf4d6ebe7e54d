// Which picks count. No I/O. The position of a record never changes, so reading the log again gives the same result.
import type { Received } from "../define-service.ts";
import type { Count } from "../summary/summary.contract.ts";
import type { Selection, SelectionSummary } from "./selections.contract.ts";

/** A partition of the topic. When the topic is created again, its offsets restart at 0 in a new epoch. */
export interface Source {
	epoch: number;
	partition: number;
}

/** The position of a record. */
export interface Position extends Source {
	offset: number;
}

/** How far a partition has been handled; -1: nothing yet. */
export interface Checkpoint {
	epoch: number;
	appliedOffset: number;
}

/** The number of picks of a name that one source has counted, up to and including the offset. */
export interface Total {
	picks: number;
	appliedOffset: number;
}

export type ReceivedPick = Received<Selection>;

export const positionOf = ({ record: { partition, offset } }: ReceivedPick, epoch: number): Position => ({
	epoch,
	partition,
	offset
});

/** If the log ends before the handled offset, the topic was created again: a new epoch starts. */
export const epochOf = ({ epoch, appliedOffset }: Checkpoint, endOffset: number) =>
	endOffset <= appliedOffset ? epoch + 1 : epoch;

const isSame = (one: Position, other: Position) =>
	one.offset === other.offset && one.partition === other.partition && one.epoch === other.epoch;

/** The picks that count: their id is new, or was first seen in this very record, whose handling was interrupted or is repeated. */
export function newPicks(picks: readonly ReceivedPick[], epoch: number, seen: ReadonlyMap<string, Position>): ReceivedPick[] {
	const positions = new Map(seen);
	return picks.filter(pick => {
		const position = positionOf(pick, epoch);
		const first = positions.get(pick.message.id);
		if (first === undefined) positions.set(pick.message.id, position);
		return first === undefined || isSame(first, position);
	});
}

/** The totals after these picks, for the names that change: a pick adds one unless the total already includes its offset. */
export function applyPicks(totals: ReadonlyMap<string, Total>, picks: readonly ReceivedPick[]): Map<string, Total> {
	const changed = new Map<string, Total>();
	for (const { message, record } of picks) {
		const total = changed.get(message.name) ?? totals.get(message.name) ?? { picks: 0, appliedOffset: -1 };
		if (record.offset > total.appliedOffset) changed.set(message.name, { picks: total.picks + 1, appliedOffset: record.offset });
	}
	return changed;
}

/** One message for each user and name, with the request id of the user's last pick of that name. */
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
