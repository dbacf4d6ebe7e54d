// The interface of the balance stores: Redis, or the memory of this process. wallet.store.suite.ts tests both.
// Postgres is the source of truth; a store may lose totals, but must not return wrong ones.
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";

/** A user's total and its version. */
export interface UserTotal extends PurchaseTotal {
	user_id: string;
}

export interface Reading {
	/** In the order of the users; undefined for a user whose total is not confirmed. */
	totalsCents: (number | undefined)[];
	/** Pass it to `confirm`; undefined while the store does not know whether it has lost data. */
	generation: string | undefined;
}

export interface Raising extends Pick<Reading, "generation"> {
	/** In the order of the entries. */
	raised: Raised[];
}

export interface Raised {
	/** The version before; undefined if there was none. */
	before: number | undefined;
	/** The total now: the given one, or a newer one. */
	newest: PurchaseTotal;
	/** Whether `read` returns this user's total. */
	isConfirmed: boolean;
}

/** A store returns a user's total once it was confirmed from Postgres, until the store loses data. */
export interface BalanceStore {
	/** Rejects with `UNAVAILABLE` if the store is unavailable. */
	read(users: string[]): Promise<Reading>;
	/**
	 * Sets totals to newer versions; an older or equal version changes nothing. This does not confirm a user: when records are redelivered, the store
	 * may have lost a version that is newer than they are. `nextOffset`: all records of the partition before it are in the store when this
	 * resolves; omit `applied` if the partition may have another owner. Rejects with `UNAVAILABLE` if the store is unavailable.
	 */
	raise(entries: UserTotal[], applied?: { partition: number; nextOffset: number }): Promise<Raising>;
	/**
	 * Confirms users with totals that were read from Postgres after `read` or `raise` returned this generation. Skips users with a newer version in the store,
	 * and does nothing if the store has lost data since.
	 */
	confirm(entries: UserTotal[], generation: string): Promise<void>;
}
