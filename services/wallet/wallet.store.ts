// The port between the wallet and whatever keeps the totals at hand: Redis, or this process's memory.
// One suite (wallet.store.suite.ts) holds both to what stands here. Postgres has the last word; a store may forget, but not be wrong.
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";

/** A user's total and its version. */
export interface UserTotal extends PurchaseTotal {
	user_id: string;
}

export interface Reading {
	/** In the order asked; undefined for a user whose total has not been confirmed. */
	totalsCents: (number | undefined)[];
	/** What `confirm` needs to know; undefined while the store itself cannot be believed. */
	generation: string | undefined;
}

export interface Raised {
	/** The version it had before; undefined if it had none. */
	before: number | undefined;
	/** What it holds now: what it was told, or what is newer. */
	newest: PurchaseTotal;
	/** Whether it will answer for this user. */
	isConfirmed: boolean;
}

/** A store answers for a user once Postgres has confirmed the user's total, and from then on for as long as it forgets nothing. */
export interface BalanceStore {
	/** Rejects when the store is away. */
	read(users: string[]): Promise<Reading>;
	/**
	 * Sets totals to newer versions; one that is not newer changes nothing. What the store has forgotten may be newer still, when records come
	 * again, so that a user who was not confirmed is not thereby. `nextOffset`: all of the partition before it is in the store once this
	 * resolves; left out by who may not have the partition any more. Rejects when the store is away.
	 */
	raise(entries: UserTotal[], applied?: { partition: number; nextOffset: number }): Promise<Raised[]>;
	/**
	 * Confirms users with what Postgres said after `read`: it takes what is newer, and answers for them from now on. Not for one of whom it
	 * has been told something newer meanwhile, and for nobody if it has lost something since.
	 */
	confirm(entries: UserTotal[], generation: string): Promise<void>;
}
