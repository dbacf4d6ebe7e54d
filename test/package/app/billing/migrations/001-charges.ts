import type { Knex } from "knex";

export async function up(knex: Knex) {
	await knex.schema.createTable("charges", table => {
		table.text("parcel_id").primary();
		table.text("customer").notNullable().index();
		table.bigInteger("weight_grams").notNullable();
	});
	await knex.schema.createTable("bills", table => {
		table.text("customer").primary();
		table.integer("parcels").notNullable();
		table.bigInteger("total_grams").notNullable();
	});
}

export const down = (knex: Knex) => knex.schema.dropTable("bills").dropTable("charges");
