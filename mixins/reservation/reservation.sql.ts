// What reservations read and lock. Whatever changes something locks the levels first, sorted; then it writes all in one statement (reservation.write.sql.ts).
import type { Knex } from "knex";
import { type Change, changeKey, type Holding } from "./reservation.rules.ts";
import { levelOf, type Row, writes } from "./reservation.write.sql.ts";
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
	select wanted.holder, state, item, quantity
	from unnest(:names::text[]) as wanted (holder)
	cross join lateral (select state from :holders: as known where known.holder = wanted.holder offset 0) as known
	left join ${LINES} on true`;

function toHoldings(rows: Row[]) {
	const known = new Map<string, Holding>();
	for (const { holder, state, item, quantity } of rows) {
		const holding = known.get(holder!) ?? { state: state as Holding["state"], lines: [] };
		if (item !== null) holding.lines.push({ item: item!, quantity: Number(quantity) });
		known.set(holder!, holding);
	}
	return known;
}

/** SQLSTATE unique_violation. */
const UNIQUE_VIOLATION = "23505";

export function statements(prefix: string) {
	const tables = tablesOf(prefix);
	const run = async (knex: Knex, sql: string, values: object): Promise<Row[]> =>
		(await knex.raw(sql, { ...tables, ...values } as Record<string, Knex.Value>)).rows;
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
			return toHoldings(await run(trx, `select * from (${HOLDINGS}) as known`, { names: [...new Set(names)] }));
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
			const [row] = (await run(trx, sql, { names: [...new Set(names)] })) as unknown as Record<
				"holdings" | "levels",
				Row[] | null
			>[];
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
			return code === UNIQUE_VIOLATION && constraint === `${tables.holders}_pkey`;
		},

		async expired(knex: Knex, now: Date, limit: number) {
			const sql = `
				select holder from :holders: where state = 'reserved' and expires_at <= :now::timestamptz
				order by expires_at limit :limit::int`;
			return (await run(knex, sql, { now: now.toISOString(), limit })).map(({ holder }) => holder!);
		},

		async waiting(knex: Knex, olderThanMs: number, limit: number) {
			const sql = `
				select holder from :holders:
				where state = 'reserved' and expires_at is null and at <= now() - :olderThanMs::float * interval '1 ms'
				order by at limit :limit::int`;
			return (await run(knex, sql, { olderThanMs, limit })).map(({ holder }) => holder!);
		}
	};
}
