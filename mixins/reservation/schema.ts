// The three tables of one kind of reservations: the level of each item, the holders, and the ledger of all movements.
import type { Knex } from "knex";

export const tablesOf = (prefix: string) => ({
	levels: `${prefix}_levels`,
	holders: `${prefix}_holders`,
	movements: `${prefix}_movements`
});

/** Creates them; for a migration of the service that owns the stock. */
export async function createReservations(knex: Knex, prefix: string) {
	const { levels, holders, movements } = tablesOf(prefix);
	// Every order updates it: free space on each page allows HOT updates, which write no index entries.
	await knex.raw(
		`create table ?? (
			item text primary key,
			label text not null,
			stock bigint not null default 0,
			reserved bigint not null default 0,
			version bigint not null default 0,
			-- Also if the code is wrong: nothing is reserved twice.
			check (0 <= reserved and reserved <= stock)
		) with (fillfactor = 50)`,
		[levels]
	);
	await knex.raw(
		`create table ?? (
			holder text primary key,
			state text not null check (state in ('reserved', 'deducted', 'given back')),
			at timestamptz not null default now(),
			expires_at timestamptz
		)`,
		[holders]
	);
	await knex.raw("create index ?? on ?? (expires_at) where state = 'reserved' and expires_at is not null", [
		`${holders}_ending`,
		holders
	]);
	await knex.raw("create index ?? on ?? (at) where state = 'reserved' and expires_at is null", [`${holders}_waiting`, holders]);
	await knex.raw(
		`create table ?? (
			holder text,
			item text,
			kind text check (kind in ('open', 'set', 'reserve', 'deduct', 'release', 'return')),
			quantity bigint not null check (quantity > 0 or kind in ('open', 'set')),
			at timestamptz not null default now(),
			-- Nothing moves twice.
			primary key (holder, item, kind)
		)`,
		[movements]
	);
}

/** The reverse of `createReservations`. */
export const dropReservations = (knex: Knex, prefix: string) => {
	const { levels, holders, movements } = tablesOf(prefix);
	return knex.schema.dropTableIfExists(movements).dropTableIfExists(holders).dropTableIfExists(levels);
};
