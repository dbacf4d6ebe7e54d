import type { Count } from "../summary/summary.contract.ts";
import type { Selection } from "./selections.contract.ts";
import type { Checkpoint, Place, Source, Total } from "./selections.rules.ts";

export type Stored = Selection & Place;

/**
 * What the tally keeps. Any write may come twice, late, or from an owner of the partition that has been superseded:
 * one that says what an older record led to never replaces what a newer one did.
 */
export interface SelectionStore {
	/** How far a partition has been handled; epoch 0, nothing applied, where none is kept. */
	checkpoint(partition: number): Promise<Checkpoint>;
	setCheckpoint(partition: number, checkpoint: Checkpoint): Promise<void>;
	/** Where each id was first seen; an id that is not stored has no entry. */
	seen(ids: readonly string[]): Promise<Map<string, Place>>;
	add(selections: readonly Stored[]): Promise<void>;
	/** What one source has added to these names; a name that it has added nothing to has no entry. */
	totals(source: Source, names: readonly string[]): Promise<Map<string, Total>>;
	setTotals(source: Source, totals: ReadonlyMap<string, Total>): Promise<void>;
	/** The counts of these names: what all sources have added, in this order. */
	counts(names: readonly string[]): Promise<Count[]>;
}
