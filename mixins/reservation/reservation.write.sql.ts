// What reservations write: new items, and whole decisions, the holders first.
import type { Knex } from "knex";
import { EFFECTS, type Holding, type Level, type Movement } from "./reservation.rules.ts";

export type Row = Record<string, string>;
/** Runs a statement with the names of the tables and with `:now`. */
export type Run = <R = Row>(knex: Knex, sql: string, values: object) => Promise<R[]>;

/** When the reservations end that a statement has inserted, by holder. */
type Expiries = Map<string, Date>;
/** The same as JSON; null if none of them ends. */
type ExpiryRows = { holder: string; expires_at: string }[] | null;
const toExpiries = (rows: ExpiryRows): Expiries => new Map(rows?.map(row => [row.holder, new Date(row.expires_at)]));

export const levelOf = ({ item, label, stock, reserved, version }: Row): Level => ({
	item: item!,
	label: label!,
	stock: Number(stock),
	reserved: Number(reserved),
	version: Number(version)
});

/** The holder of every item's first stock. */
const FIRST_STOCK = "first stock";

const OPEN = `
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

/** The order in which `OPEN` inserts them. */
const SORT_ITEMS = "select n from unnest(:items::text[]) with ordinality as given (item, n) order by item, n";
/** Items of one statement: between statements the embedded Postgres lets others run. */
const MAX_OPENED = 1_000;

/** In whole milliseconds, so that callers get the exact time. */
const EXPIRES_AT = "date_trunc('milliseconds', :now + lifetime_ms * interval '1 ms')";
const EXPIRIES = "(select json_agg(inserted) from inserted where expires_at is not null) as expiries";

const WRITE = `
	with inserted as (
		insert into :holders: (holder, state, expires_at)
		select holder, state, ${EXPIRES_AT}
		from unnest(:new::text[], :states::text[], :lifetimesMs::float[]) as next (holder, state, lifetime_ms)
		order by holder
		returning holder, expires_at
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
	select (select count(*) from updated) as updated, ${EXPIRIES}`;

const RESERVE_NEW = `
	with wanted as (
		select * from unnest(:items::text[], :reserved::bigint[]) as wanted (item, reserved)
	), locked as (
		select item, stock - reserved as available from :levels: where item = any(:items::text[]) order by item for update
	), enough as (
		select from wanted left join locked using (item)
		having bool_and(coalesce(available >= reserved, false)) and not exists (select from :holders: where holder = any(:names::text[]))
	), inserted as (
		insert into :holders: (holder, state, expires_at)
		select holder, 'reserved', ${EXPIRES_AT}
		from enough, unnest(:names::text[], :lifetimesMs::float[]) as next (holder, lifetime_ms)
		order by holder
		returning holder, expires_at
	), shifted as (
		update :levels: as level set reserved = level.reserved + wanted.reserved from enough, wanted where level.item = wanted.item
	), recorded as (
		insert into :movements: (holder, item, kind, quantity)
		select mover, moved, 'reserve', quantity
		from enough, unnest(:movers::text[], :moved::text[], :quantities::bigint[]) as moved (mover, moved, quantity)
		-- Holders first, as in WRITE.
		where (select count(*) from inserted) >= 0
	)
	select ${EXPIRIES} from enough`;

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

type NewLevel = Pick<Level, "item" | "label" | "stock">;

export function writes(run: Run) {
	const openPart = (trx: Knex, items: NewLevel[]) =>
		run(trx, OPEN, {
			holder: FIRST_STOCK,
			items: items.map(({ item }) => item),
			labels: items.map(({ label }) => label),
			stocks: items.map(({ stock }) => stock)
		});

	return {
		/** Returns the first movements of the new items. */
		async open(trx: Knex, items: NewLevel[]) {
			// All transactions insert in one order, or two of them could wait for each other.
			const sorted =
				items.length <= MAX_OPENED
					? items
					: (await run(trx, SORT_ITEMS, { items: items.map(({ item }) => item) })).map(({ n }) => items[Number(n) - 1]!);
			const opened: Row[] = [];
			for (let start = 0; start < sorted.length; start += MAX_OPENED)
				opened.push(...(await openPart(trx, sorted.slice(start, start + MAX_OPENED))));
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
		 * Writes a whole decision: the holders first, and the rest only if all of them still had the state that the decision knew. Returns undefined if
		 * that was not so, and then the transaction must not commit. Adds differences, so that the table's check would still catch an error if a lock failed.
		 */
		async write(
			trx: Knex,
			movements: Movement[],
			holdings: Map<string, Holding>,
			known: ReadonlyMap<string, Holding>
		): Promise<Expiries | undefined> {
			const all = [...holdings].map(([holder, holding]) => ({ holder, ...holding }));
			const inserted = all.filter(({ holder }) => !known.has(holder));
			const updated = all.filter(({ holder }) => known.has(holder));
			const sums = sumsOf(movements);
			const [row] = await run<{ updated: string; expiries: ExpiryRows }>(trx, WRITE, {
				new: inserted.map(({ holder }) => holder),
				states: inserted.map(({ state }) => state),
				lifetimesMs: inserted.map(({ lifetimeMs }) => lifetimeMs ?? null),
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
			return Number(row!.updated) === updated.length ? toExpiries(row!.expiries) : undefined;
		},

		/**
		 * Reserves for new holders if there is enough of every item. Returns undefined if there is not, or if one of the holders exists, and then it has changed
		 * nothing. Rejects if one of the holders is inserted, or a level grows, concurrently (`isHolderInserted`, `isLevelOutdated`). A statement of its own needs
		 * no transaction around it.
		 */
		async reserveNew(knex: Knex, movements: Movement[], holdings: Map<string, Holding>): Promise<Expiries | undefined> {
			const sums = sumsOf(movements);
			const [row] = await run<{ expiries: ExpiryRows }>(knex, RESERVE_NEW, {
				items: sums.map(({ item }) => item),
				reserved: sums.map(({ reserved }) => reserved),
				names: [...holdings.keys()],
				lifetimesMs: [...holdings.values()].map(({ lifetimeMs }) => lifetimeMs ?? null),
				movers: movements.map(({ holder }) => holder),
				moved: movements.map(({ item }) => item),
				quantities: movements.map(({ quantity }) => quantity)
			});
			return row && toExpiries(row.expiries);
		}
	};
}
