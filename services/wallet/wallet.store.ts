// The port between the wallet and whatever keeps the totals at hand: Redis, or this process's memory.
// One suite (wallet.store.suite.ts) holds both to what stands here. Postgres has the last word; a store may forget, but not be wrong.
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";

/** A user's total and its version. */
export interface Entry extends PurchaseTotal {
	user_id: string;
}

export interface Reading {
	/** In the order asked; undefined where the store has nothing that it can vouch for. */
	totals: (PurchaseTotal | undefined)[];
	/** What `repair` needs to know; undefined while the store cannot vouch for anything. */
	generation: string | undefined;
}

export interface BalanceStore {
	/** Rejects when the store is away. */
	read(users: string[]): Promise<Reading>;
	/**
	 * Sets totals to newer versions; one that is not newer changes nothing. `nextOffset`: all of the partition before it is in the store once
	 * this resolves. Answers the version that each user had before, undefined where there was none to vouch for. Rejects when the store is away.
	 */
	raise(entries: Entry[], applied: { partition: number; nextOffset: number }): Promise<(number | undefined)[]>;
	/** The same for totals that were looked up elsewhere after `read` knew nothing of them; nothing changes if the store has started anew since. */
	repair(entries: Entry[], generation: string): Promise<void>;
}
