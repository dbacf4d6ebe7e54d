import type { Knex } from "knex";

export async function up(knex: Knex) {
	// The limit for failed sign-ins exempts client addresses from which the owner has signed in before.
	await knex.raw("alter table sessions add column address text");
	await knex.raw("create index sessions_of_user_here on sessions (user_id, address, created_at)");
	await knex.raw("drop index sessions_of_user");
}

export async function down(knex: Knex) {
	await knex.raw("create index sessions_of_user on sessions (user_id)");
	await knex.raw("drop index sessions_of_user_here");
	await knex.raw("alter table sessions drop column address");
}
