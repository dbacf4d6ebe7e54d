import type { Knex } from "knex";

export async function up(db: Knex) {
	// `offset` is a reserved word of SQL, hence first_offset and applied_offset.
	await db.raw(`
		create table selections (
			id text primary key,
			name text not null,
			user_id text not null,
			epoch int not null,
			partition int not null,
			first_offset bigint not null
		)`);
	// Every batch updates these rows: a low fillfactor leaves space on each page for HOT updates.
	await db.raw(`
		create table selection_totals (
			name text,
			partition int,
			epoch int,
			n bigint not null,
			applied_offset bigint not null,
			primary key (name, partition, epoch)
		) with (fillfactor = 50)`);
	await db.raw(`
		create table selection_checkpoints (
			partition int primary key,
			epoch int not null,
			applied_offset bigint not null
		) with (fillfactor = 50)`);
}

export const down = (db: Knex) =>
	db.schema.dropTable("selection_checkpoints").dropTable("selection_totals").dropTable("selections");
