import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";

export async function up(knex: Knex) {
	await knex.raw(`
		create table products (
			-- The order of creation, in which products are listed.
			n bigint generated always as identity unique,
			product_id text primary key,
			sku text not null constraint products_sku unique,
			name text not null,
			description text not null,
			price_cents bigint not null check (price_cents > 0),
			category text not null,
			version bigint not null default 1,
			created_at timestamptz not null default date_trunc('milliseconds', now())
		)`);
	await createOutbox(knex, "products_outbox");
}

export async function down(knex: Knex) {
	await dropOutbox(knex, "products_outbox");
	await knex.schema.dropTable("products");
}
