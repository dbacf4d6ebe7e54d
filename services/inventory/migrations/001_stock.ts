import type { Knex } from "knex";
import { createOutbox, dropOutbox } from "../../../mixins/outbox/schema.ts";
import { createReservations, dropReservations } from "../../../mixins/reservation/schema.ts";

export async function up(knex: Knex) {
	await createReservations(knex, "stock");
	await createOutbox(knex, "inventory_outbox");
}

export async function down(knex: Knex) {
	await dropOutbox(knex, "inventory_outbox");
	await dropReservations(knex, "stock");
}
