import type { Knex } from "knex";

export async function up(knex: Knex) {
	// Locked by whatever gives places or admits, so it is not the row of `shows`, which holds of seats lock.
	await knex.raw(`create table show_queue_state (
		show_id text primary key,
		-- Whether those who joined before the opening have their places.
		opened boolean not null default false,
		-- The last place that is given, and the last that is admitted.
		places integer not null default 0,
		admitted integer not null default 0 check (admitted between 0 and places),
		-- When the token bucket was last empty; null: it is still full.
		empty_at timestamptz
	)`);
	await knex.raw(`create table show_queue (
		show_id text not null,
		user_id text not null,
		joined_at timestamptz not null,
		-- Orders those who joined before the opening; later ones have none.
		lot text collate "C",
		-- From 1, without gaps, in the order of admission; null until the opening.
		place integer,
		primary key (show_id, user_id),
		unique (show_id, place),
		check (lot is not null or place is not null)
	)`);
	await knex.raw("create index show_queue_lot on show_queue (show_id, lot) where place is null");
	await knex.raw(`create table show_queue_lease (
		one boolean primary key default true check (one),
		holder text not null default '',
		until timestamptz not null default '-infinity'
	)`);
	await knex("show_queue_lease").insert({ one: true });
}

export const down = (knex: Knex) =>
	knex.schema.dropTable("show_queue_lease").dropTable("show_queue").dropTable("show_queue_state");
