import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";

const OUTBOX = "orders_outbox";

export async function up(knex: Knex) {
	// The lines copy the catalogue at the time of the order. They are written once and read only as a whole, so they are one value instead of rows:
	// a batch of orders is one insert. json instead of jsonb keeps the buyer's order of fields.
	// `void` marks an id under which no order may be stored; all other columns of such a row are empty.
	await knex.raw(`
		create table orders (
			id text primary key,
			number bigint generated always as identity,
			status text not null check (status in ('pending', 'processing', 'shipped', 'delivered', 'cancelled', 'void')),
			seq bigint not null default 0,
			buyer_id text,
			items json,
			total_cents bigint,
			shipping_address json,
			paid_at timestamptz,
			created_at timestamptz not null,
			updated_at timestamptz not null,
			check (status = 'void' or num_nulls(buyer_id, items, total_cents, shipping_address) = 0)
		)`);
	await knex.raw("create unique index orders_newest on orders (number) where status <> 'void'");
	await knex.raw("create index orders_of_buyer on orders (buyer_id, number) where status <> 'void'");
	await knex.raw(
		"create index orders_unpaid on orders (created_at) where paid_at is null and status in ('pending', 'processing')"
	);
	await createOutbox(knex, OUTBOX);
}

export async function down(knex: Knex) {
	await dropOutbox(knex, OUTBOX);
	await knex.schema.dropTable("orders");
}
