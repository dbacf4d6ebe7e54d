import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";

export async function up(knex: Knex) {
	await knex.raw(`
		create table purchases (
			id text not null,
			user_id text not null,
			amount_cents bigint not null check (amount_cents > 0),
			created_at timestamptz not null,
			primary key (user_id, id)
		)`);
	// Every purchase updates a row: free space on each page keeps the new version there, without new index entries (a HOT update).
	await knex.raw(`
		create table purchase_totals (
			user_id text primary key,
			seq bigint not null check (seq > 0),
			total_cents bigint not null constraint purchase_totals_exact check (total_cents <= ${Number.MAX_SAFE_INTEGER})
		) with (fillfactor = 50)`);
	await createOutbox(knex);
}

export async function down(knex: Knex) {
	await dropOutbox(knex);
	await knex.schema.dropTable("purchase_totals").dropTable("purchases");
}
