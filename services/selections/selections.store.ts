import type { Count } from "../summary/summary.contract.ts";
import type { Selection } from "./selections.contract.ts";
import type { Checkpoint, Position, Source, Total } from "./selections.rules.ts";

export type Stored = Selection & Position;

/** What a batch of picks changes in the tally of its source. */
export interface Change {
	/** The picks whose ids are new, each with the position of its record. */
	selections: readonly Stored[];
	/** The totals that change, by name. */
	totals: ReadonlyMap<string, Total>;
	/** How far the source is handled with this batch. */
	appliedOffset: number;
}

/**
 * The state of the tally. A write may be repeated, late, or from a former owner of the partition: the result of an older record never replaces
 * the result of a newer one.
 */
export interface SelectionStore {
	/** How far a partition has been handled; epoch 0 and offset -1 if nothing is stored. */
	checkpoint(partition: number): Promise<Checkpoint>;
	/** The position at which each id was first seen; an id that is not stored has no entry. */
	seen(ids: readonly string[]): Promise<Map<string, Position>>;
	/** The totals of one source for these names; a name without picks has no entry. */
	totals(source: Source, names: readonly string[]): Promise<Map<string, Total>>;
	/** Stores the ids, the totals and the checkpoint of a batch. If it rejects, any part of them may be stored. */
	write(source: Source, change: Change): Promise<void>;
	/** The counts of these names, summed over all sources, in this order. */
	counts(names: readonly string[]): Promise<Count[]>;
}
