// Transactions that decide and write: levels are locked first, sorted; a decision on a state that has changed meanwhile is made again.
import type { Knex } from "knex";
import { type Decision, decideGiveBack, type Known, type Movement } from "./reservation.rules.ts";
import type { Statements } from "./reservation.sql.ts";

/**
 * Gets all movements of a transaction, in order, before it commits; if it throws, the transaction rolls back. An operation may need several
 * transactions, and calls it again when it repeats one.
 */
export type OnMoved = (trx: Knex.Transaction, movements: Movement[]) => Promise<void>;

class HolderChanged extends Error {}

const MAX_DEADLOCKS = 3;

export function transactions(knex: Knex, sql: Statements) {
	/**
	 * Repeats the transaction when a holder was inserted or changed while it was looked up. Holders are never deleted, and change twice at most. Repeats it
	 * a few times after a deadlock: that can happen when a holder is inserted a second time, for other items, while the first one changes.
	 */
	const transact = async <Answer>(work: (trx: Knex.Transaction) => Promise<Answer>): Promise<Answer> => {
		for (let deadlocks = 0; ; ) {
			try {
				// Each statement must see what the transactions have committed that the previous statement waited for.
				return await knex.transaction(work, { isolationLevel: "read committed" });
			} catch (error) {
				if (error instanceof HolderChanged || sql.isHolderInserted(error)) continue;
				if (!sql.isDeadlock(error) || ++deadlocks > MAX_DEADLOCKS) throw error;
			}
		}
	};

	/** Resolves with when the new reservations expire, by holder. */
	const write = async (
		trx: Knex.Transaction,
		{ movements, holdings }: Decision<unknown>,
		{ holdings: known }: Known,
		onMoved?: OnMoved
	): Promise<ReadonlyMap<string, Date>> => {
		if (movements.length === 0 && holdings.size === 0) return new Map();
		const expiries = await sql.write(trx, movements, holdings, known);
		if (!expiries) throw new HolderChanged();
		if (movements.length > 0) await onMoved?.(trx, movements);
		return expiries;
	};

	/** Decides about holders in one transaction. */
	const settle = <Answer>(holders: string[], rule: (known: Known) => Decision<Answer>, onMoved?: OnMoved) =>
		transact(async trx => {
			const known = await sql.lockOf(trx, holders);
			const decision = rule(known);
			await write(trx, decision, known, onMoved);
			return decision.answers;
		});

	/** Gives back those of these expired holders that still have a reservation, and resolves with them. */
	const giveBackExpired = async (holders: string[], onMoved?: OnMoved): Promise<string[]> => {
		if (holders.length === 0) return [];
		const answers = await settle(holders, known => decideGiveBack(holders, known, true), onMoved);
		return holders.filter((_, n) => answers[n] === "given back");
	};

	return { transact, write, settle, giveBackExpired };
}

export type Transactions = ReturnType<typeof transactions>;
