import { createOutbox, dropOutbox } from "@plaza/mixins/outbox";
import type { Knex } from "knex";

export async function up(knex: Knex) {
	await knex.schema.createTable("parcels", table => {
		table.text("id").primary();
		table.text("customer").notNullable();
		table.bigInteger("weight_grams").notNullable();
	});
	await createOutbox(knex, "depot_outbox");
}

export async function down(knex: Knex) {
	await dropOutbox(knex, "depot_outbox");
	await knex.schema.dropTable("parcels");
}
