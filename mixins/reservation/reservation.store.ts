/**
 * Reservations of stock: no piece is reserved twice. Items are products, or seats, which are items with a stock of 1.
 *
 *     export const up = (knex: Knex) => createReservations(knex, "seats");             // in a migration of the service that owns the stock
 *
 *     const seats = reservations(knex, "seats");
 *     await seats.open([{ item: "A-12", label: "Row A, seat 12", stock: 1 }]);
 *     const [answer] = await seats.reserve([{ holder: "hold-1", lines: [{ item: "A-12", quantity: 1 }], expiresAt: inTenMinutes }]);
 *     if ("refused" in answer) return answer;                                          // OUT_OF_STOCK: another holder has it
 *     await seats.deduct(["hold-1"], (trx, movements) => outbox.add(trx, toMessages(movements)));   // sold, in one transaction with its message
 *     await seats.expire(new Date());                                                  // periodically, on every node: gives back what has expired
 *
 * Each operation takes a batch and decides it in one transaction, request by request; requests may be repeated and arrive in any order. A holder
 * reserves once; its reservation is then deducted, or given back, or deducted and then given back, each once. The ledger has a row for every
 * movement and explains every level. No deadlocks: every transaction locks levels first, sorted by item, and then inserts or changes holders.
 */
import type { Knex } from "knex";
import { type Equation, equationOf } from "./ledger-check.ts";
import {
	type Change,
	type Changed,
	type Decision,
	type Deducted,
	decideDeduct,
	decideGiveBack,
	decideReserve,
	decideSet,
	type GivenBack,
	type Known,
	type Level,
	type Movement,
	type Request,
	type Reserved
} from "./reservation.rules.ts";
import { statements } from "./reservation.sql.ts";

/** Gets all movements, in order, before the transaction commits; if it throws, the transaction rolls back. */
export type OnMoved = (trx: Knex.Transaction, movements: Movement[]) => Promise<void>;

export interface Reservations {
	/** Adds items with their first stock; items that exist stay unchanged. Resolves with which are new, in order. */
	open(items: Pick<Level, "item" | "label" | "stock">[], onMoved?: OnMoved): Promise<boolean[]>;
	/** Sets the stock. Refuses less than what is reserved, and items that were never opened. */
	set(changes: Change[], onMoved?: OnMoved): Promise<Changed[]>;
	/**
	 * Reserves all lines of a request or none; several lines of one item are added up. A repetition with the same lines gets `again`, also after
	 * the deduction. An item that was never opened is out of stock. Throws `RangeError` for a quantity that is not a whole number of at least 1.
	 */
	reserve(requests: Request[], onMoved?: OnMoved): Promise<Reserved[]>;
	/** Takes what these holders have reserved out of the stock. An expired reservation can be deducted until it is given back. */
	deduct(holders: string[], onMoved?: OnMoved): Promise<Deducted[]>;
	/** Gives back what these holders have reserved or deducted. An unknown holder is `noted`: its later requests get nothing. */
	giveBack(holders: string[], onMoved?: OnMoved): Promise<GivenBack[]>;
	/** Gives back expired reservations, the earliest first, at most `limit`. Resolves with their holders; each is returned once over all nodes. */
	expire(now: Date, onMoved?: OnMoved, limit?: number): Promise<string[]>;
	/** Holders with a reservation that does not expire, is older than this and is not deducted yet: the oldest, at most `limit`. */
	waiting(olderThanMs: number, limit: number): Promise<string[]>;
	/** The levels in this order; undefined for an item that was never opened. */
	levels(items: string[]): Promise<(Level | undefined)[]>;
	/** Sums the ledger in one snapshot, beside the levels. */
	equation(): Promise<Equation>;
}

const MAX_EXPIRED = 1_000;
/** The level of an item that is assumed to suffice. */
const PLENTY = { label: "", stock: Number.MAX_SAFE_INTEGER, reserved: 0, version: 0 };

class HolderChanged extends Error {}

/** See the top of this file. `prefix`: as given to `createReservations`. */
export function reservations(knex: Knex, prefix: string): Reservations {
	const sql = statements(prefix);

	/** Repeats the transaction when a holder was inserted or changed while it was looked up. Holders are never deleted, and change twice at most. */
	const transact = async <Answer>(work: (trx: Knex.Transaction) => Promise<Answer>): Promise<Answer> => {
		for (;;) {
			try {
				// Each statement must see what the transactions have committed that the previous statement waited for.
				return await knex.transaction(work, { isolationLevel: "read committed" });
			} catch (error) {
				if (!(error instanceof HolderChanged) && !sql.isHolderInserted(error)) throw error;
			}
		}
	};

	const write = async (
		trx: Knex.Transaction,
		{ movements, holdings }: Decision<unknown>,
		{ holdings: known }: Known,
		onMoved?: OnMoved
	) => {
		if (movements.length > 0 || holdings.size > 0)
			if (!(await sql.write(trx, movements, holdings, known))) throw new HolderChanged();
		if (movements.length > 0) await onMoved?.(trx, movements);
	};

	const settle = <Answer>(holders: string[], rule: (known: Known) => Decision<Answer>, onMoved?: OnMoved) =>
		transact(async trx => {
			const known = await sql.lockOf(trx, holders);
			const decision = rule(known);
			await write(trx, decision, known, onMoved);
			return decision.answers;
		});

	/**
	 * Reserves with one statement if all holders are new and there is enough of every item, as is usual; the statement checks both. Returns undefined if
	 * that is not so, and then nothing has changed.
	 */
	const reserveNew = async (requests: Request[]): Promise<Reserved[] | undefined> => {
		const items = requests.flatMap(({ lines }) => lines.map(({ item }) => item));
		const levels = new Map(items.map(item => [item, { ...PLENTY, item }]));
		const { answers, movements, holdings } = decideReserve(requests, { levels, holdings: new Map() });
		if (movements.length === 0 || answers.some(answer => "refused" in answer)) return undefined;
		const isReserved = await sql.reserveNew(knex, movements, holdings).catch(error => {
			if (sql.isHolderInserted(error)) return false;
			throw error;
		});
		return isReserved ? answers : undefined;
	};

	return {
		open: (items, onMoved) =>
			transact(async trx => {
				const opened = await sql.open(trx, items);
				if (opened.size > 0) await onMoved?.(trx, [...opened.values()]);
				// If an item occurs twice, the first one is the new one.
				return items.map(({ item }) => opened.delete(item));
			}),

		set: (changes, onMoved) =>
			transact(async trx => {
				const known = {
					levels: await sql.lock(
						trx,
						changes.map(({ item }) => item)
					),
					holdings: new Map()
				};
				const decision = decideSet(changes, known, await sql.madeOf(trx, changes));
				await write(trx, decision, known, onMoved);
				return decision.answers;
			}),

		async reserve(requests, onMoved) {
			// `onMoved` gets the levels, which only a transaction can read before it writes.
			const reserved = onMoved ? undefined : await reserveNew(requests);
			if (reserved) return reserved;
			return transact(async trx => {
				const items = requests.flatMap(({ lines }) => lines.map(({ item }) => item));
				const levels = await sql.lock(trx, items);
				const known = {
					levels,
					holdings: await sql.holdingsOf(
						trx,
						requests.map(({ holder }) => holder)
					)
				};
				const decision = decideReserve(requests, known);
				await write(trx, decision, known, onMoved);
				return decision.answers;
			});
		},

		deduct: (holders, onMoved) => settle(holders, known => decideDeduct(holders, known), onMoved),
		giveBack: (holders, onMoved) => settle(holders, known => decideGiveBack(holders, known), onMoved),

		async expire(now, onMoved, limit = MAX_EXPIRED) {
			const expired = await sql.expired(knex, now, limit);
			const answers = await settle(expired, known => decideGiveBack(expired, known, true), onMoved);
			return expired.filter((_, n) => answers[n] === "given back");
		},

		waiting: (olderThanMs, limit) => sql.waiting(knex, olderThanMs, limit),

		async levels(items) {
			const known = await sql.levels(knex, items);
			return items.map(item => known.get(item));
		},

		equation: () => equationOf(knex, prefix)
	};
}
