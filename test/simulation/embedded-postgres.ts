// A real Postgres for a simulated world: one PGlite, opened once for many histories. For the statements of simulated processes see virtual-postgres.ts.
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import type { Knex } from "knex";
import pg from "pg";
import { migrate } from "../../mixins/database/migrate.ts";
import { scratchEmbedded } from "../scratch.ts";
import { knexOn, type Query } from "./virtual-postgres.ts";

export interface EmbeddedPostgres {
	/** Runs at once and never fails by an injected fault. Statements run one at a time. */
	query: Query;
	/** `query` as a knex. */
	knex: Knex;
	/** Makes all tables as they were after the migrations. */
	reset(): Promise<void>;
	close(): Promise<void>;
}

const TABLES = `
	select relname as name from pg_class
	where relkind = 'r' and relnamespace = 'public'::regnamespace and relname not like '%\\_migrations%' order by relname`;

/** With the migrations of this service. */
export async function openEmbeddedPostgres(service: string): Promise<EmbeddedPostgres> {
	const { db, remove } = await scratchEmbedded();
	await migrate(db, new URL(`../../services/${service}/migrations/`, import.meta.url), `${service}_migrations`);
	await db.close();
	const pglite = await PGlite.create(`${db.where}/postgres`, { relaxedDurability: true });
	const client = new pg.Client(createPgConfig(pglite) as pg.ClientConfig);
	await client.connect();
	const query: Query = statement => client.query(statement);

	const tables = (await query(TABLES)).rows.map(({ name }) => `"${name}"`);
	/** What the migrations have inserted, such as the row of a lease. */
	const inserted = new Map<string, string>();
	for (const table of tables) {
		const { rows } = await query(`select json_agg(whole_row)::text as rows from ${table} as whole_row`);
		if (rows[0].rows) inserted.set(table, rows[0].rows);
	}

	return {
		query,
		knex: knexOn(() => query),

		async reset() {
			// A history that failed may have left its transaction open.
			await query("rollback");
			await query(`truncate ${tables.join()} restart identity`);
			for (const [table, rows] of inserted)
				await query({
					text: `insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1::json)`,
					values: [rows]
				});
		},

		async close() {
			await pglite.close();
			await remove();
		}
	};
}
