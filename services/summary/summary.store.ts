import type { Knex } from "knex";
import type { Count } from "./summary.contract.ts";

export interface SummaryStore {
	/** Makes rows with a count of 0 for the names that have none. */
	seed(names: readonly string[]): Promise<void>;
	/** The counts of these names, in this order; 0 where there is no row. */
	list(names: readonly string[]): Promise<Count[]>;
	/** Sets each count unless a higher one is stored. */
	raise(counts: Count[]): Promise<void>;
}

/** A Postgres that has gone silent must not hold up who asks beyond the 5 s in which every request is answered. */
const TIMEOUT_MS = 2_000;

export const sqlSummary = (db: Knex): SummaryStore => ({
	async seed(names) {
		await db("selections_summary")
			.insert(names.map(name => ({ name })))
			.onConflict("name")
			.ignore();
	},

	async list(names) {
		// As it stands: to everybody who looks, and putting a query together costs more than asking it.
		const asked = db.raw("select name, count from selections_summary where name = any(?::text[])", [[...names]]);
		const { rows }: { rows: { name: string; count: string }[] } = await asked.timeout(TIMEOUT_MS);
		const counts = new Map(rows.map(({ name, count }) => [name, Number(count)]));
		return names.map(name => ({ name, count: counts.get(name) ?? 0 }));
	},

	async raise(counts) {
		// In one order, or two counters that raise the same names could wait for each other.
		const sorted = counts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
		const raised = db.raw(
			`insert into selections_summary (name, count) select * from unnest(?::text[], ?::bigint[])
			 on conflict (name) do update set count = excluded.count where selections_summary.count < excluded.count`,
			[sorted.map(({ name }) => name), sorted.map(({ count }) => count)]
		);
		await raised.timeout(TIMEOUT_MS);
	}
});
