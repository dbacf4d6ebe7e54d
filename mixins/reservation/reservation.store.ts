/**
 * Reservations of stock: no piece is reserved twice. Items are products, or seats, which are items with a stock of 1.
 *
 *     export const up = (knex: Knex) => createReservations(knex, "seats");             // in a migration of the service that owns the stock
 *
 *     const seats = reservations(knex, "seats");
 *     await seats.open([{ item: "A-12", label: "Row A, seat 12", stock: 1 }]);
 *     const onMoved: OnMoved = (trx, movements) => outbox.add(trx, toMessages(movements));   // in one transaction with what moves
 *     const [answer] = await seats.reserve([{ holder: "hold-1", lines: [{ item: "A-12", quantity: 1 }], lifetimeMs: 600_000 }], { onMoved });
 *     if (!("done" in answer)) return answer;                                          // OUT_OF_STOCK: another holder has it; or an error
 *     await seats.deduct(["hold-1"], { onMoved, unlessExpired: true });                // sold
 *     await seats.expire({ onMoved });                                                 // periodically, on every node: gives back what has expired
 *
 * Each operation takes a batch and decides it request by request; `reserve` needs further transactions if it gives back what has expired. Requests
 * may be repeated and arrive in any order. A holder reserves once; its reservation is then deducted, or given back, or deducted and then given
 * back, each once. The ledger has a row for every movement and explains every level. Reservations expire by the clock of Postgres, whatever the
 * time of this process is. Every transaction locks levels first, sorted by item, and then inserts or changes holders. A
 * transaction that Postgres ends because of a deadlock, which is rare, is repeated.
 */
import type { Knex } from "knex";
import { type Equation, equationOf } from "./ledger-check.ts";
import {
	type Change,
	type Changed,
	type Deducted,
	decideDeduct,
	decideGiveBack,
	decideSet,
	type GivenBack,
	type Level,
	type Request,
	type Reserved
} from "./reservation.rules.ts";
import { MAX_EXPIRED, statements } from "./reservation.sql.ts";
import { type ReserveOptions, reserving } from "./reserve.ts";
import { type OnMoved, transactions } from "./transactions.ts";

export type { PolicyDecision } from "./reserve.rules.ts";
export type { Policy, ReserveOptions } from "./reserve.ts";
export type { OnMoved } from "./transactions.ts";

export interface DeductOptions {
	onMoved?: OnMoved;
	/** Leaves what has expired as it is: `expired`. Otherwise it can be deducted until it is given back. */
	unlessExpired?: boolean;
}

export interface GiveBackOptions {
	onMoved?: OnMoved;
	/** Gives back what is reserved and not deducted; other holders are `left`. */
	reservedOnly?: boolean;
}

export interface Reservations {
	/** Adds items with their first stock; items that exist stay unchanged. Resolves with which are new, in order. */
	open(items: Pick<Level, "item" | "label" | "stock">[], options?: { onMoved?: OnMoved }): Promise<boolean[]>;
	/** Sets the stock. Refuses less than what is reserved, and items that were never opened. */
	set(changes: Change[], options?: { onMoved?: OnMoved }): Promise<Changed[]>;
	/**
	 * Reserves all lines of a request or none; several lines of one item are added up. A repetition with the same lines gets `again`, also after
	 * the deduction. An item that was never opened is out of stock. What has expired is given back first if a request lacks it: such requests are
	 * decided a second time, after the others of the batch. `policy` may refuse new holders. Rejects only if nothing is reserved: if the second
	 * decision fails, its requests are answered with the error. Throws `RangeError` for a quantity that is not a whole number of at least 1.
	 */
	reserve(requests: Request[], options?: ReserveOptions): Promise<(Reserved | Error)[]>;
	/** Takes what these holders have reserved out of the stock. */
	deduct(holders: string[], options?: DeductOptions): Promise<Deducted[]>;
	/** Gives back what these holders have reserved or deducted. An unknown holder is `noted`: its later requests get nothing. */
	giveBack(holders: string[], options?: GiveBackOptions): Promise<GivenBack[]>;
	/** Gives back expired reservations, the earliest first, at most `limit`. Resolves with their holders; each is returned once over all nodes. */
	expire(options?: { onMoved?: OnMoved; limit?: number }): Promise<string[]>;
	/** Holders with a reservation that does not expire, is older than this and is not deducted yet: the oldest, at most `limit`. */
	waiting(olderThanMs: number, limit: number): Promise<string[]>;
	/** The levels in this order; undefined for an item that was never opened. */
	levels(items: string[]): Promise<(Level | undefined)[]>;
	/** Sums the ledger in one snapshot, beside the levels. */
	equation(): Promise<Equation>;
}

export interface ReservationsOptions {
	/** The SQL text of the time by which reservations expire. Default: `now()`. */
	now?: string;
}

/** See the top of this file. `prefix`: as given to `createReservations`. */
export function reservations(knex: Knex, prefix: string, { now = "now()" }: ReservationsOptions = {}): Reservations {
	const sql = statements(knex, prefix, now);
	const all = transactions(knex, sql);
	const { transact, write, settle, giveBackExpired } = all;

	return {
		open: (items, { onMoved } = {}) =>
			transact(async trx => {
				const opened = await sql.open(trx, items);
				if (opened.size > 0) await onMoved?.(trx, [...opened.values()]);
				// If an item occurs twice, the first one is the new one.
				return items.map(({ item }) => opened.delete(item));
			}),

		set: (changes, { onMoved } = {}) =>
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

		reserve: reserving(knex, sql, all),

		deduct: (holders, { onMoved, unlessExpired } = {}) =>
			settle(holders, known => decideDeduct(holders, known, unlessExpired), onMoved),

		giveBack: (holders, { onMoved, reservedOnly } = {}) =>
			settle(holders, known => decideGiveBack(holders, known, reservedOnly), onMoved),

		expire: async ({ onMoved, limit = MAX_EXPIRED } = {}) => giveBackExpired(await sql.expired(knex, limit), onMoved),

		waiting: (olderThanMs, limit) => sql.waiting(knex, olderThanMs, limit),

		async levels(items) {
			const known = await sql.levels(knex, items);
			return items.map(item => known.get(item));
		},

		equation: () => equationOf(knex, prefix)
	};
}
