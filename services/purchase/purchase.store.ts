// Purchases in Postgres. What arrives together shares one statement, which is its own transaction: one question to the server and one commit.
import type { Knex } from "knex";
import { invalid, isUnavailable, unavailable } from "../../mixins/errors.ts";
import { ENTRIES, type Outbox } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { PurchaseTotal } from "./purchase.contract.ts";
import { type Attempt, deduplicate, type Outcome, outcomes } from "./purchase.rules.ts";

export interface PurchaseStore {
	/**
	 * Buys, and tells the world of it in the same transaction. Answers each attempt, in order; an `Error` in its place refuses that one alone:
	 * `CONFLICT` (the id stands for another amount), `VALIDATION_ERROR` (it cannot be stored, or its user's total would leave the exact range),
	 * `UNAVAILABLE`.
	 */
	buy(attempts: Attempt[]): Promise<(Outcome | Error)[]>;
	/** What each user has spent, in order; seq 0 for who never bought. Rejects with `UNAVAILABLE`. */
	totals(userIDs: string[]): Promise<PurchaseTotal[]>;
}

/**
 * Inserts what is new, adds it to its users' totals, and tells of each new purchase with its number and its user's running total, by order of arrival.
 * Everybody takes locks in one order, purchases before totals and each sorted: unsorted, batches that share users wait for each other in a ring.
 * The messages' ids are drawn when every total is locked and has been raised.
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
	), told as (
		insert into ?? (topic, key, value, headers)
		select topic, key, value, headers || jsonb_build_object('seq', seq::text, 'total_cents', total_cents::text)
		from counted join ${ENTRIES} using (n) order by n
	)
	select n::int from counted`;

/** In time for those who are bought in the same batch to be answered. */
const FIND_TIMEOUT_MS = 2_000;

const FIND = `
	select n::int, amount_cents from purchases
	join unnest(?::text[], ?::text[]) with ordinality as attempt (user_id, id, n) using (user_id, id)`;

/** pg hands a bigint over as text; cents are kept where a number still says them exactly. */
function exact(text: string): number {
	const number = Number(text);
	if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is no exact number`);
	return number;
}

/** A purchase as the world is told of it. Its number and the running total are not known before it is stored: they travel in headers. */
const toMessage = ({ id, userID, amountCents, requestID }: Attempt, created_at: string) => {
	const message: Message<"user_purchase"> = { id, user_id: userID, amount: amountCents / 100, created_at };
	return { topic: "user_purchase", message, requestID };
};

/** SQLSTATE class 22, data exception, and 23, integrity constraint violation: wrong for ever, and the fault of some row. */
const isDataError = (error: unknown) => /^2[23]/.test((error as { code?: string }).code ?? "");

const isRefused = (error: unknown) => (error as { type?: string }).type === "VALIDATION_ERROR";

const asRefusal = (error: Error & { constraint?: string }): Error => {
	if (isUnavailable(error)) return unavailable("Postgres", error);
	if (error.constraint === "purchase_totals_exact")
		return invalid([{ field: "amount", message: "would take the total of this user out of the range that can be counted" }]);
	// The database's own message holds the whole row.
	return isDataError(error) ? invalid([{ field: "", message: "holds something that cannot be stored" }]) : error;
};

export function sqlPurchases(knex: Knex, outbox: Outbox): PurchaseStore {
	async function buyBatch(attempts: Attempt[]) {
		const { wanted, places } = deduplicate(attempts);
		const now = new Date().toISOString();
		const times = wanted.map(({ createdAt }) => createdAt ?? now);
		const columns = [
			wanted.map(({ userID }) => userID),
			wanted.map(({ id }) => id),
			wanted.map(({ amountCents }) => amountCents),
			times
		];
		const entries = wanted.map((attempt, place) => toMessage(attempt, times[place]!));
		const { rows } = await outbox.addWithin(entries, async messages =>
			knex.raw(BUY, [...columns, outbox.table, messages]).options({ name: "buy" })
		);
		const bought = new Set<number>(rows.map(({ n }: { n: number }) => n - 1));
		const amountsCents = wanted.map(({ amountCents }, place) => (bought.has(place) ? amountCents : undefined));
		let unknown: Error | undefined;
		// A statement of its own: who waited for another transaction's insert of the same id does not see that row in the one that waited.
		const others = [...wanted.keys()].filter(place => !bought.has(place));
		if (others.length > 0) {
			const ids = [others.map(place => wanted[place]!.userID), others.map(place => wanted[place]!.id)];
			const found = await knex.raw(FIND, ids).timeout(FIND_TIMEOUT_MS).catch(asRefusal);
			// What is bought is bought, and its buyers are told so: a retry without an id would buy again.
			if (found instanceof Error) unknown = found;
			else for (const { n, amount_cents } of found.rows) amountsCents[others[n - 1]!] = exact(amount_cents);
		}
		return outcomes(attempts, places, amountsCents, bought, unknown);
	}

	/** One attempt that the topic or Postgres cannot take would take the whole batch down: halved until it stands alone, it fails alone. */
	async function buy(attempts: Attempt[]): Promise<(Outcome | Error)[]> {
		try {
			return await buyBatch(attempts);
		} catch (error) {
			if (attempts.length === 1 || !(isDataError(error) || isRefused(error)))
				return attempts.map(() => asRefusal(error as Error));
			const middle = attempts.length >> 1;
			return [...(await buy(attempts.slice(0, middle))), ...(await buy(attempts.slice(middle)))];
		}
	}

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
					{ seq: exact(row.seq), total_cents: exact(row.total_cents) }
				])
			);
			return userIDs.map(userID => known.get(userID) ?? { seq: 0, total_cents: 0 });
		}
	};
}
