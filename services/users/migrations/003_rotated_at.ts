import type { Knex } from "knex";

export async function up(knex: Knex) {
	// When the newest refresh token replaced the one before, which is still accepted for a short time.
	await knex.raw("alter table sessions add column rotated_at timestamptz");
}

export async function down(knex: Knex) {
	await knex.raw("alter table sessions drop column rotated_at");
}
