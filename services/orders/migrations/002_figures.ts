import type { Knex } from "knex";

export async function up(knex: Knex) {
	// All that is added up of orders is in this index: neither their lines nor their addresses are read for it.
	await knex.raw("create index orders_figures on orders (created_at) include (status, total_cents) where status <> 'void'");
}

export async function down(knex: Knex) {
	await knex.raw("drop index orders_figures");
}
