import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";
import { createReservations, dropReservations } from "../../../mixins/reservation/schema.ts";

const OUTBOX = "seats_outbox";

export async function up(knex: Knex) {
	// `version` numbers the changes of the seat map. `revision` is random: two maps with one version, such as before and after Postgres was restored,
	// have different ones. Each change updates the row: free space on its page allows HOT updates.
	await knex.raw(`
		create table shows (
			id text primary key,
			number bigint generated always as identity,
			name text not null,
			starts_at timestamptz not null,
			seat_count int not null,
			version bigint not null default 0,
			revision uuid not null default gen_random_uuid(),
			queue_opens_at timestamptz,
			queue_admit_per_second float8,
			queue_secret text,
			created_at timestamptz not null default date_trunc('milliseconds', now()),
			check (num_nulls(queue_opens_at, queue_admit_per_second, queue_secret) in (0, 3))
		) with (fillfactor = 50)`);
	await knex.raw("create unique index shows_newest on shows (number)");
	await knex.raw(`
		create table show_seats (
			show_id text,
			position int not null,
			seat text,
			row_name text not null,
			number int not null,
			category text not null,
			price_cents bigint not null,
			primary key (show_id, seat)
		)`);
	// The item of a seat is <show id>/<seat>, with a stock of 1.
	await createReservations(knex, "seats");
	// Whether a hold is open, sold or ended is the state of its holder. `is_open` keeps the index small: a buyer may have thousands of ended holds.
	await knex.raw(`
		create table seat_holds (
			id text primary key,
			number bigint generated always as identity,
			show_id text not null,
			buyer_id text not null,
			seats text[] not null,
			total_cents bigint not null,
			request json not null,
			is_open boolean not null default true,
			created_at timestamptz not null default now()
		) with (fillfactor = 80)`);
	await knex.raw("create index seat_holds_open on seat_holds (buyer_id, number) where is_open");
	await createOutbox(knex, OUTBOX);
}

export async function down(knex: Knex) {
	await dropOutbox(knex, OUTBOX);
	await knex.schema.dropTable("seat_holds");
	await dropReservations(knex, "seats");
	await knex.schema.dropTable("show_seats").dropTable("shows");
}
