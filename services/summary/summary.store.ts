import type { Knex } from "knex";
import type { Count } from "./summary.contract.ts";

export interface SummaryStore {
	/** Inserts a row with count 0 for each name without a row. */
	seed(names: readonly string[]): Promise<void>;
	/** The counts of these names, in this order; 0 where there is no row. */
	list(names: readonly string[]): Promise<Count[]>;
	/** Sets each count unless the stored one is higher. */
	raise(counts: Count[]): Promise<void>;
}

/** If Postgres hangs, the call must fail before the 5 s within which every request is answered. */
const TIMEOUT_MS = 2_000;

export const sqlSummary = (db: Knex): SummaryStore => ({
	async seed(names) {
		await db("selections_summary")
			.insert(names.map(name => ({ name })))
			.onConflict("name")
			.ignore();
	},

	async list(names) {
		// Raw SQL: this read is frequent, and knex needs more time to build the query than Postgres to run it.
		const query = db.raw("select name, count from selections_summary where name = any(?::text[])", [[...names]]);
		const { rows }: { rows: { name: string; count: string }[] } = await query.timeout(TIMEOUT_MS);
		const counts = new Map(rows.map(({ name, count }) => [name, Number(count)]));
		return names.map(name => ({ name, count: counts.get(name) ?? 0 }));
	},

	async raise(counts) {
		// Sorted: two statements that lock the same rows in different orders could deadlock.
		const sorted = counts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
		const raised = db.raw(
			`insert into selections_summary (name, count) select * from unnest(?::text[], ?::bigint[])
			 on conflict (name) do update set count = excluded.count where selections_summary.count < excluded.count`,
			[sorted.map(({ name }) => name), sorted.map(({ count }) => count)]
		);
		// The name lets a connection plan it once; the plan of an insert does not depend on how large the table is.
		await raised.options({ name: "raise_summary" }).timeout(TIMEOUT_MS);
	}
});
