import type { Knex } from "knex";

export async function up(knex: Knex) {
	// Each sign-in looks for the active sessions of its account; ended ones stay in the table until they expire.
	await knex.raw("create index sessions_active on sessions (user_id) where revoked_at is null");
}

export async function down(knex: Knex) {
	await knex.raw("drop index sessions_active");
}
