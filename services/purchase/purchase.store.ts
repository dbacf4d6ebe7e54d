// Purchases in Postgres. Purchases of one batch share one statement, which is its own transaction: one round trip and one commit.
import type { Knex } from "knex";
import { isDataError, toRefusal } from "../../mixins/database/database-errors.ts";
import { invalid } from "../../mixins/errors.ts";
import { ENTRIES, type Outbox } from "../../mixins/outbox/outbox.ts";
import { splitFailingBatch } from "../../mixins/split-failing-batch.ts";
import type { Message } from "../define-service.ts";
import type { PurchaseTotal } from "./purchase.contract.ts";
import { type Attempt, deduplicate, type Outcome, outcomes } from "./purchase.rules.ts";

export interface PurchaseStore {
	/**
	 * Stores purchases together with their messages. Answers each attempt, in order; an `Error` refuses only the attempt in its place: `CONFLICT` (the id
	 * belongs to another amount), `VALIDATION_ERROR` (it cannot be stored, or its user's total would leave the exact range), `UNAVAILABLE`.
	 */
	buy(attempts: Attempt[]): Promise<(Outcome | Error)[]>;
	/** The total of each user, in order; seq 0 for a user without purchases. Rejects with `UNAVAILABLE`. */
	totals(userIDs: string[]): Promise<PurchaseTotal[]>;
}

/**
 * Inserts new purchases, adds them to their users' totals, and puts a message for each into the outbox, with its sequence number and running total.
 * Every batch takes its locks in one order, purchases before totals and each sorted: unsorted, batches that share users deadlock.
 * The ids of the messages are assigned after all totals are locked and raised.
 */
const BUY = `
	with attempt as (
		select * from unnest(?::text[], ?::text[], ?::bigint[], ?::timestamptz[])
			with ordinality as attempt (user_id, id, amount_cents, created_at, n)
	), bought as (
		insert into purchases (user_id, id, amount_cents, created_at)
		select user_id, id, amount_cents, created_at from attempt order by user_id, id
		on conflict do nothing
		returning user_id, id, amount_cents
	), spent as (
		select user_id, count(*) as purchases, sum(amount_cents) as cents from bought group by user_id
	), total as (
		insert into purchase_totals as known (user_id, seq, total_cents)
		select user_id, purchases, cents from spent order by user_id
		on conflict (user_id) do update
			set seq = known.seq + excluded.seq, total_cents = known.total_cents + excluded.total_cents
		returning user_id, seq, total_cents
	), counted as (
		select n, total.seq - spent.purchases + row_number() over earlier as seq,
			total.total_cents - spent.cents + sum(bought.amount_cents) over earlier as total_cents
		from bought join attempt using (user_id, id) join spent using (user_id) join total using (user_id)
		window earlier as (partition by user_id order by n)
	), published as (
		insert into ?? (topic, key, value, headers)
		select topic, key, value, headers || jsonb_build_object('seq', seq::text, 'total_cents', total_cents::text)
		from counted join ${ENTRIES} using (n) order by n
	)
	select n::int from counted`;

/** Short, so that the new purchases of the same batch are answered in time. */
const FIND_TIMEOUT_MS = 2_000;

const FIND = `
	select n::int, amount_cents from purchases
	join unnest(?::text[], ?::text[]) with ordinality as attempt (user_id, id, n) using (user_id, id)`;

/** pg returns a bigint as text; the table's constraint keeps cents in the range of exact numbers. */
function toExactNumber(text: string): number {
	const number = Number(text);
	if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is outside the range of exact integers`);
	return number;
}

/** Without sequence number and running total, which are known only after the insert: the statement adds them to the headers. */
const toMessage = ({ id, userID, amountCents, requestID }: Attempt, created_at: string) => {
	const message: Message<"user_purchase"> = { id, user_id: userID, amount: amountCents / 100, created_at };
	return { topic: "user_purchase", message, requestID };
};

const isRefused = (error: unknown) => (error as { type?: string }).type === "VALIDATION_ERROR";

const asRefusal = (error: Error & { constraint?: string }): Error =>
	error.constraint === "purchase_totals_exact"
		? invalid([{ field: "amount", message: "would take the total of this user out of the range that can be counted" }])
		: toRefusal(error);

export function sqlPurchases(knex: Knex, outbox: Outbox): PurchaseStore {
	async function buyBatch(attempts: Attempt[]) {
		const { distinct, indexes } = deduplicate(attempts);
		const now = new Date().toISOString();
		const times = distinct.map(({ createdAt }) => createdAt ?? now);
		const columns = [
			distinct.map(({ userID }) => userID),
			distinct.map(({ id }) => id),
			distinct.map(({ amountCents }) => amountCents),
			times
		];
		const entries = distinct.map((attempt, index) => toMessage(attempt, times[index]!));
		const { rows } = await outbox.addInStatement(entries, async messages =>
			knex.raw(BUY, [...columns, outbox.table, messages]).options({ name: "buy" })
		);
		const bought = new Set<number>(rows.map(({ n }: { n: number }) => n - 1));
		const amountsCents = distinct.map(({ amountCents }, index) => (bought.has(index) ? amountCents : undefined));
		let unknown: Error | undefined;
		// A second statement: an insert that waited for another transaction's row of the same id cannot see that row itself.
		const others = [...distinct.keys()].filter(index => !bought.has(index));
		if (others.length > 0) {
			const ids = [others.map(index => distinct[index]!.userID), others.map(index => distinct[index]!.id)];
			const found = await knex.raw(FIND, ids).timeout(FIND_TIMEOUT_MS).catch(asRefusal);
			// The new purchases are committed, so their buyers get an answer: a retry without an id would buy again.
			if (found instanceof Error) unknown = found;
			else for (const { n, amount_cents } of found.rows) amountsCents[others[n - 1]!] = toExactNumber(amount_cents);
		}
		return outcomes(attempts, indexes, amountsCents, bought, unknown);
	}

	/** Splits a batch that the topic's contract or Postgres refuses until the invalid attempt is alone, so that it fails alone. */
	const buy = (attempts: Attempt[]) =>
		splitFailingBatch<Attempt, Outcome | Error>(attempts, buyBatch, {
			isItemError: error => isDataError(error) || isRefused(error),
			onFailure: (failed, error) => failed.map(() => asRefusal(error as Error))
		});

	return {
		buy,
		async totals(userIDs) {
			const { rows } = await knex
				.raw("select user_id, seq, total_cents from purchase_totals where user_id = any(?::text[])", [userIDs])
				.catch(error => {
					throw asRefusal(error);
				});
			const known = new Map<string, PurchaseTotal>(
				rows.map((row: { user_id: string; seq: string; total_cents: string }) => [
					row.user_id,
					{ seq: toExactNumber(row.seq), total_cents: toExactNumber(row.total_cents) }
				])
			);
			return userIDs.map(userID => known.get(userID) ?? { seq: 0, total_cents: 0 });
		}
	};
}
