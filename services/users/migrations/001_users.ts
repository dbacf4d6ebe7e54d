import type { Knex } from "knex";

export async function up(knex: Knex) {
	await knex.raw(`
		create table users (
			id text primary key,
			email text not null unique,
			name text not null,
			role text not null check (role in ('user', 'admin')),
			password_hash text not null,
			created_at timestamptz not null default date_trunc('milliseconds', now())
		)`);
	// One row for each sign-in. Its refresh tokens are numbered; only the newest is valid.
	await knex.raw(`
		create table sessions (
			id text primary key,
			user_id text not null references users on delete cascade,
			generation integer not null default 0,
			created_at timestamptz not null default now(),
			expires_at timestamptz not null,
			revoked_at timestamptz,
			revoked_because text check ((revoked_because is null) = (revoked_at is null))
		)`);
	await knex.raw("create index sessions_of_user on sessions (user_id)");
	await knex.raw("create index sessions_revoked on sessions (revoked_at) where revoked_at is not null");
	await knex.raw("create index sessions_expired on sessions (expires_at)");
	// Generated secrets that all nodes share.
	await knex.raw("create table secrets (name text primary key, value text not null)");
}

export async function down(knex: Knex) {
	await knex.schema.dropTable("secrets").dropTable("sessions").dropTable("users");
}
