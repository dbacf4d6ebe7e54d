// What reservations read and lock. Whatever changes something locks the levels first, sorted; then it writes all in one statement (reservation.write.sql.ts).
import type { Knex } from "knex";
import { type Change, changeKey, type Holding } from "./reservation.rules.ts";
import { levelOf, type Row, type Run, writes } from "./reservation.write.sql.ts";
import { tablesOf } from "./schema.ts";

/**
 * Reads holder by holder, by the primary key. Without `offset 0` the planner may scan the whole table when its statistics are missing, as in the
 * embedded Postgres, or from the time when it was small.
 */
const LINES = `lateral (
	select item, quantity from :movements: as line where line.holder = wanted.holder and kind = 'reserve' offset 0
) as line`;

/** What these holders have reserved, and its state. */
const HOLDINGS = `
	select wanted.holder, state, expires_at, expires_at <= :now as is_expired, item, quantity
	from unnest(:names::text[]) as wanted (holder)
	cross join lateral (select state, expires_at from :holders: as known where known.holder = wanted.holder offset 0) as known
	left join ${LINES} on true`;

interface HoldingRow {
	holder: string;
	state: Holding["state"];
	/** A text where it comes as JSON. */
	expires_at: Date | string | null;
	is_expired: boolean | null;
	item: string | null;
	quantity: string;
}

function toHoldings(rows: HoldingRow[]) {
	const known = new Map<string, Holding>();
	for (const { holder, state, expires_at, is_expired, item, quantity } of rows) {
		const expiry = expires_at && { expiresAt: new Date(expires_at), isExpired: is_expired! };
		const holding: Holding = known.get(holder) ?? { state, lines: [], ...expiry };
		if (item !== null) holding.lines.push({ item, quantity: Number(quantity) });
		known.set(holder, holding);
	}
	return known;
}

/** Holders whose reservation has expired, the earliest first; if `items` is not null, those that have reserved one of these. */
const EXPIRED = `
	select holder from :holders: as wanted
	where state = 'reserved' and expires_at <= :now
		and (:items::text[] is null or exists (select from ${LINES} where item = any(:items::text[])))
	order by expires_at limit :limit::int`;

/** How many are given back in one transaction. */
export const MAX_EXPIRED = 1_000;

/** SQLSTATE. */
const UNIQUE_VIOLATION = "23505";
const CHECK_VIOLATION = "23514";
const DEADLOCK_DETECTED = "40P01";

/** `now`: the SQL text of the time by which reservations expire. */
export function statements(db: Knex, prefix: string, now: string) {
	const common = { ...tablesOf(prefix), now: db.raw(`(${now})`) };
	const run: Run = async (knex, sql, values) =>
		(await knex.raw(sql, { ...common, ...values } as Record<string, Knex.Value>)).rows;
	const byItem = (levels: Row[]) => new Map(levels.map(row => [row.item!, levelOf(row)]));

	return {
		...writes(run),

		/** Until the transaction ends, no other one can change these levels, or the state of a holder of one of these items. */
		lock: async (trx: Knex, items: string[]) =>
			byItem(await run(trx, "select * from :levels: where item = any(:items::text[]) order by item for update", { items })),

		levels: async (knex: Knex, items: string[]) =>
			byItem(await run(knex, "select * from :levels: where item = any(:items::text[])", { items })),

		async holdingsOf(trx: Knex, names: string[]) {
			// A name that occurs twice would get its lines twice.
			return toHoldings(await run<HoldingRow>(trx, HOLDINGS, { names: [...new Set(names)] }));
		},

		/**
		 * Reads these holders, and locks and reads the levels of what they have reserved. The lines of a holder never change; but its state may have
		 * changed before the locks were there: `write` finds that out.
		 */
		async lockOf(trx: Knex, names: string[]) {
			const sql = `
				with known as (${HOLDINGS}), locked as (
					select * from :levels: where item = any(array(select item from known)) order by item for update
				)
				select (select json_agg(known) from known) as holdings, (select json_agg(locked) from locked) as levels`;
			const [row] = await run<{ holdings: HoldingRow[] | null; levels: Row[] | null }>(trx, sql, { names: [...new Set(names)] });
			return { holdings: toHoldings(row?.holdings ?? []), levels: byItem(row?.levels ?? []) };
		},

		/** The keys of those of these changes that were made before. */
		async madeOf(trx: Knex, changes: Change[]) {
			const sql = "select holder, item from :movements: where holder = any(:names::text[]) and kind = 'set'";
			const made = await run(trx, sql, { names: changes.map(({ holder }) => holder) });
			return new Set(made.map(({ holder, item }) => changeKey({ holder: holder!, item: item! })));
		},

		/** Whether a write failed because its holder was inserted before, or by another transaction meanwhile. */
		isHolderInserted(error: unknown) {
			const { code, constraint } = error as { code?: string; constraint?: string };
			return code === UNIQUE_VIOLATION && constraint === `${common.holders}_pkey`;
		},

		/**
		 * Whether `reserveNew` failed because a level grew while the statement waited for its lock: Postgres checks the new row with the level from before the wait
		 * first, and only then with the one that it has locked.
		 */
		isLevelOutdated(error: unknown) {
			const { code, constraint } = error as { code?: string; constraint?: string };
			return code === CHECK_VIOLATION && constraint === `${common.levels}_check`;
		},

		/** Whether Postgres has rolled the transaction back because it and another one waited for each other. */
		isDeadlock: (error: unknown) => (error as { code?: string }).code === DEADLOCK_DETECTED,

		expired: async (knex: Knex, limit: number, items: string[] | null = null) =>
			(await run(knex, EXPIRED, { limit, items })).map(({ holder }) => holder!),

		async waiting(knex: Knex, olderThanMs: number, limit: number) {
			const sql = `
				select holder from :holders:
				where state = 'reserved' and expires_at is null and at <= now() - :olderThanMs::float * interval '1 ms'
				order by at limit :limit::int`;
			return (await run(knex, sql, { olderThanMs, limit })).map(({ holder }) => holder!);
		}
	};
}

export type Statements = ReturnType<typeof statements>;
