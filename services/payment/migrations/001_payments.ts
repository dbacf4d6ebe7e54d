import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";

const OUTBOX = "payment_outbox";

export async function up(knex: Knex) {
	await knex.raw(`
		create table payments (
			order_id text primary key,
			state text not null,
			buyer_id text,
			amount_cents bigint check (amount_cents >= 0),
			request_id text,
			asked integer not null default 0,
			ask_at timestamptz not null default now(),
			created_at timestamptz not null default now(),
			updated_at timestamptz not null default now()
		)`);
	await knex.raw(
		"create index payments_to_ask on payments (ask_at) where state in ('pending', 'charging', 'stopping', 'refunding')"
	);
	await createOutbox(knex, OUTBOX);
}

export async function down(knex: Knex) {
	await dropOutbox(knex, OUTBOX);
	await knex.schema.dropTable("payments");
}
