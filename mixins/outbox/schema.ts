// The outbox's two tables: the messages that are not published yet, and one row for the lease of the relay that publishes them.
import type { Knex } from "knex";

/** Creates both; for a migration of the service that owns them. */
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
			-- Every row is soon dead, and each poll for the oldest scans the dead rows; a scale factor means nothing for a table that is mostly empty.
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

/** Gives the outbox the random key that signs what it publishes; for a migration after `createOutbox`. */
export const addProofKey = (knex: Knex, table = "outbox") =>
	knex.raw("alter table ?? add column key text not null default gen_random_uuid()::text || gen_random_uuid()::text", [
		leaseTable(table)
	]);

/** The reverse of `addProofKey`. */
export const dropProofKey = (knex: Knex, table = "outbox") => knex.raw("alter table ?? drop column key", [leaseTable(table)]);

/** The reverse of `createOutbox`. */
export const dropOutbox = (knex: Knex, table = "outbox") =>
	knex.schema.dropTableIfExists(leaseTable(table)).dropTableIfExists(table);

export const leaseTable = (table: string) => `${table}_lease`;
