import type { Knex } from "knex";

export const up = (db: Knex) =>
	db.schema.createTable("selections_summary", table => {
		table.text("name").primary();
		table.bigint("count").notNullable().defaultTo(0);
	});

export const down = (db: Knex) => db.schema.dropTable("selections_summary");
