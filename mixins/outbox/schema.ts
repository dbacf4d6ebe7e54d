// The outbox's two tables: the messages that wait to leave, and the one row that says whose turn it is to send them.
import type { Knex } from "knex";

/** Makes them; for a migration of the service whose transactions write them. */
export async function createOutbox(knex: Knex, table = "outbox") {
	await knex.raw(
		`create table ?? (
			id bigint generated always as identity primary key,
			topic text not null,
			key text not null,
			value text not null,
			headers jsonb not null,
			created_at timestamptz not null default now()
		) with (
			-- Every row is soon a dead one, and each look for the oldest walks over the dead: a share of a table that is mostly empty says nothing.
			autovacuum_vacuum_scale_factor = 0,
			autovacuum_vacuum_threshold = 1000,
			autovacuum_vacuum_cost_delay = 0
		)`,
		[table]
	);
	await knex.raw(
		`create table ?? (
			one boolean primary key default true check (one),
			holder text not null default '',
			fence bigint not null default 0,
			until timestamptz not null default '-infinity'
		)`,
		[leaseTable(table)]
	);
	await knex(leaseTable(table)).insert({ one: true });
}

/** For the way back. */
export const dropOutbox = (knex: Knex, table = "outbox") =>
	knex.schema.dropTableIfExists(leaseTable(table)).dropTableIfExists(table);

export const leaseTable = (table: string) => `${table}_lease`;
