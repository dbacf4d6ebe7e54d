// The SQL of reservations. Whatever changes something locks the levels first, sorted; then it inserts or changes holders, and writes all in one statement.
import type { Knex } from "knex";
import { type Change, changeKey, EFFECTS, type Holding, type Level, type Movement } from "./reservation.rules.ts";
import { tablesOf } from "./schema.ts";

/** The holder of every item's first stock. */
const FIRST_STOCK = "first stock";

type Row = Record<string, string>;

const levelOf = ({ item, label, stock, reserved, version }: Row): Level => ({
	item: item!,
	label: label!,
	stock: Number(stock),
	reserved: Number(reserved),
	version: Number(version)
});

/** The sum of these movements for each level. */
function sumsOf(movements: Movement[]) {
	const sums = new Map<string, { stock: number; reserved: number; version: number }>();
	for (const { item, kind, quantity, stock, previousStock } of movements) {
		const sum = sums.get(item) ?? { stock: 0, reserved: 0, version: 0 };
		sum.stock += EFFECTS[kind].stock * quantity;
		sum.reserved += EFFECTS[kind].reserved * quantity;
		if (stock !== previousStock) sum.version++;
		sums.set(item, sum);
	}
	return [...sums].map(([item, sum]) => ({ item, ...sum }));
}

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

		/** Returns the first movements of the new items. */
		async open(trx: Knex, items: Pick<Level, "item" | "label" | "stock">[]) {
			const sql = `
				with opened as (
					insert into :levels: (item, label, stock)
					select distinct on (item) item, label, stock
					from unnest(:items::text[], :labels::text[], :stocks::bigint[]) with ordinality as first (item, label, stock, n)
					order by item, n
					on conflict do nothing
					returning *
				), recorded as (
					insert into :movements: (holder, item, kind, quantity) select :holder, item, 'open', stock from opened
				)
				select * from opened`;
			const opened = await run(trx, sql, {
				holder: FIRST_STOCK,
				items: items.map(({ item }) => item),
				labels: items.map(({ label }) => label),
				stocks: items.map(({ stock }) => stock)
			});
			return new Map(
				opened
					.map(levelOf)
					.map((level): [string, Movement] => [
						level.item,
						{ ...level, holder: FIRST_STOCK, kind: "open", quantity: level.stock, previousStock: 0 }
					])
			);
		},

		/**
		 * Writes a whole decision: the holders first, and the rest only if all of them still had the state that the decision knew. Returns whether that was
		 * so; if not, the transaction must not commit. Adds differences, so that the table's check would still catch an error if a lock failed.
		 */
		async write(trx: Knex, movements: Movement[], holdings: Map<string, Holding>, known: ReadonlyMap<string, Holding>) {
			const sql = `
				with inserted as (
					insert into :holders: (holder, state, expires_at)
					select * from unnest(:new::text[], :states::text[], :ends::timestamptz[]) as next (holder, state, expires_at)
					order by holder
					returning 1
				), updated as (
					update :holders: as known set state = next.state
					from unnest(:old::text[], :oldStates::text[], :newStates::text[]) as next (holder, before, state)
					where known.holder = next.holder and known.state = next.before
					returning 1
				), unchanged as (
					select 1 where (select count(*) from inserted) >= 0 and (select count(*) from updated) = :updates::int
				), shifted as (
					update :levels: as level
					set stock = level.stock + more.stock, reserved = level.reserved + more.reserved, version = level.version + more.version
					from unchanged, unnest(:items::text[], :stock::bigint[], :reserved::bigint[], :version::bigint[])
						as more (item, stock, reserved, version)
					where level.item = more.item
				), recorded as (
					insert into :movements: (holder, item, kind, quantity)
					select moved.* from unchanged, unnest(:movers::text[], :moved::text[], :kinds::text[], :quantities::bigint[]) as moved
				)
				select count(*) as updated from updated`;
			const all = [...holdings].map(([holder, { state, expiresAt }]) => ({
				holder,
				state,
				ends: expiresAt?.toISOString() ?? null
			}));
			const inserted = all.filter(({ holder }) => !known.has(holder));
			const updated = all.filter(({ holder }) => known.has(holder));
			const sums = sumsOf(movements);
			const [row] = await run(trx, sql, {
				new: inserted.map(({ holder }) => holder),
				states: inserted.map(({ state }) => state),
				ends: inserted.map(({ ends }) => ends),
				old: updated.map(({ holder }) => holder),
				oldStates: updated.map(({ holder }) => known.get(holder)!.state),
				updates: updated.length,
				newStates: updated.map(({ state }) => state),
				items: sums.map(({ item }) => item),
				stock: sums.map(({ stock }) => stock),
				reserved: sums.map(({ reserved }) => reserved),
				version: sums.map(({ version }) => version),
				movers: movements.map(({ holder }) => holder),
				moved: movements.map(({ item }) => item),
				kinds: movements.map(({ kind }) => kind),
				quantities: movements.map(({ quantity }) => quantity)
			});
			return Number(row!.updated) === updated.length;
		},

		/**
		 * Reserves for new holders if there is enough of every item. Returns whether it did; if not, it has changed nothing. Rejects if one of the holders
		 * exists (`isHolderInserted`). A statement of its own needs no transaction around it.
		 */
		async reserveNew(knex: Knex, movements: Movement[], holdings: Map<string, Holding>) {
			const sql = `
				with wanted as (
					select * from unnest(:items::text[], :reserved::bigint[]) as wanted (item, reserved)
				), locked as (
					select item, stock - reserved as available from :levels: where item = any(:items::text[]) order by item for update
				), enough as (
					select from wanted left join locked using (item) having bool_and(coalesce(available >= reserved, false))
				), inserted as (
					insert into :holders: (holder, state, expires_at)
					select holder, 'reserved', expires_at from enough, unnest(:names::text[], :ends::timestamptz[]) as next (holder, expires_at)
					order by holder
					returning 1
				), shifted as (
					update :levels: as level set reserved = level.reserved + wanted.reserved from enough, wanted where level.item = wanted.item
				), recorded as (
					insert into :movements: (holder, item, kind, quantity)
					select mover, moved, 'reserve', quantity
					from enough, unnest(:movers::text[], :moved::text[], :quantities::bigint[]) as moved (mover, moved, quantity)
					-- Holders first, as in write.
					where (select count(*) from inserted) >= 0
				)
				select from enough`;
			const sums = sumsOf(movements);
			const rows = await run(knex, sql, {
				items: sums.map(({ item }) => item),
				reserved: sums.map(({ reserved }) => reserved),
				names: [...holdings.keys()],
				ends: [...holdings.values()].map(({ expiresAt }) => expiresAt?.toISOString() ?? null),
				movers: movements.map(({ holder }) => holder),
				moved: movements.map(({ item }) => item),
				quantities: movements.map(({ quantity }) => quantity)
			});
			return rows.length > 0;
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
