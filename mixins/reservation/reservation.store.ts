/**
 * Stock that cannot be promised twice, of whatever there is a number of: pieces of a product, or seats, which are items with a stock of 1.
 *
 *     export const up = (knex: Knex) => createReservations(knex, "seats");             // in a migration of the service whose stock it is
 *
 *     const seats = reservations(knex, "seats");
 *     await seats.open([{ item: "A-12", label: "Row A, seat 12", stock: 1 }]);
 *     const [answer] = await seats.reserve([{ holder: "hold-1", lines: [{ item: "A-12", quantity: 1 }], expiresAt: inTenMinutes }]);
 *     if ("refused" in answer) return answer;                                          // OUT_OF_STOCK: somebody else holds it
 *     await seats.deduct(["hold-1"], (trx, movements) => outbox.add(trx, told(movements)));   // sold: with its message, or not at all
 *     await seats.expire(new Date());                                                  // now and then, on every node: gives back what has ended
 *
 * Each operation takes a batch and decides it in one transaction, request by request; all may come twice and in any order. A holder reserves once, and
 * what it holds is then deducted, or given back, or deducted and then given back, each once. The ledger has a row for all that moved, and explains
 * every level. Nobody waits in a ring: everybody locks the levels first, by the name of the item, and holders that are new after them.
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

/** Told of all that moved, in order, before it commits; what it throws undoes it. */
export type OnMoved = (trx: Knex.Transaction, movements: Movement[]) => Promise<void>;

export interface Reservations {
	/** Takes items in with their first stock; one that is there already stays as it is. Answers which are new, in order. */
	open(items: Pick<Level, "item" | "label" | "stock">[], onMoved?: OnMoved): Promise<boolean[]>;
	/** What lies on the shelf from now on. Refuses less than what is reserved, and items that were never opened. */
	set(changes: Change[], onMoved?: OnMoved): Promise<Changed[]>;
	/**
	 * All lines of a request or none; the lines of one item are added up. The same holder with the same lines again: `again`, whatever has been deducted
	 * since. An item that was never opened is out of stock. Throws `RangeError` for a quantity that is no whole number from 1 on.
	 */
	reserve(requests: Request[], onMoved?: OnMoved): Promise<Reserved[]>;
	/** Takes from the shelf what these holders have reserved. One whose end has come still may, until it has been given back. */
	deduct(holders: string[], onMoved?: OnMoved): Promise<Deducted[]>;
	/** Gives back what these holders have reserved, or have been given. One that is not known yet will get nothing: that is `noted`. */
	giveBack(holders: string[], onMoved?: OnMoved): Promise<GivenBack[]>;
	/** Gives back reservations that have ended, the earliest first, at most `limit`. Answers whose; over all nodes each is answered once. */
	expire(now: Date, onMoved?: OnMoved, limit?: number): Promise<string[]>;
	/** Holders who reserved longer ago than this, without an end, and have had nothing deducted yet: the oldest, at most `limit`. */
	waiting(olderThanMs: number, limit: number): Promise<string[]>;
	/** In this order; undefined where an item was never opened. */
	levels(items: string[]): Promise<(Level | undefined)[]>;
	/** Adds up the ledger, as of one moment. */
	equation(): Promise<Equation>;
}

const MAX_EXPIRED = 1_000;

class BecameKnown extends Error {}

/** See the top of this file. `prefix`: as given to `createReservations`. */
export function reservations(knex: Knex, prefix: string): Reservations {
	const sql = statements(prefix);

	/** Again where a holder became known while it was being looked up. Holders stay known: each sends a batch back once at most. */
	const transact = async <Answer>(work: (trx: Knex.Transaction) => Promise<Answer>): Promise<Answer> => {
		for (;;) {
			try {
				// Each statement has to see what those have committed that the one before it waited for.
				return await knex.transaction(work, { isolationLevel: "read committed" });
			} catch (error) {
				if (!(error instanceof BecameKnown) && !sql.isNewHolderKnown(error)) throw error;
			}
		}
	};

	const write = async (
		trx: Knex.Transaction,
		{ movements, holdings }: Decision<unknown>,
		{ holdings: known }: Known,
		onMoved?: OnMoved
	) => {
		if (movements.length > 0 || holdings.size > 0) await sql.write(trx, movements, holdings, known);
		if (movements.length > 0) await onMoved?.(trx, movements);
	};

	/** What holders have asked for never changes, so its items can be looked up before they are locked; what became of it only after. */
	const settle = <Answer>(holders: string[], rule: (known: Known) => Decision<Answer>, onMoved?: OnMoved) =>
		transact(async trx => {
			const levels = await sql.lock(trx, await sql.itemsOf(trx, holders));
			const known = { levels, holdings: await sql.holdingsOf(trx, holders) };
			for (const { lines } of known.holdings.values()) if (lines.some(({ item }) => !levels.has(item))) throw new BecameKnown();
			const decision = rule(known);
			await write(trx, decision, known, onMoved);
			return decision.answers;
		});

	return {
		open: (items, onMoved) =>
			transact(async trx => {
				const opened = await sql.open(trx, items);
				if (opened.size > 0) await onMoved?.(trx, [...opened.values()]);
				// Of one item that comes twice the first is the new one.
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

		reserve: (requests, onMoved) =>
			transact(async trx => {
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
			}),

		deduct: (holders, onMoved) => settle(holders, known => decideDeduct(holders, known), onMoved),
		giveBack: (holders, onMoved) => settle(holders, known => decideGiveBack(holders, known), onMoved),

		async expire(now, onMoved, limit = MAX_EXPIRED) {
			const ended = await sql.ended(knex, now, limit);
			const answers = await settle(ended, known => decideGiveBack(ended, known, true), onMoved);
			return ended.filter((_, n) => answers[n] === "given back");
		},

		waiting: (olderThanMs, limit) => sql.waiting(knex, olderThanMs, limit),

		async levels(items) {
			const known = await sql.levels(knex, items);
			return items.map(item => known.get(item));
		},

		equation: () => equationOf(knex, prefix)
	};
}
