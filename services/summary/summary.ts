import type { ServiceSchema } from "moleculer";
import { type Database, database } from "../../mixins/database/database.ts";
import { unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { defineService } from "../define-service.ts";
import type { Count } from "./summary.contract.ts";
import type { SummaryStore } from "./summary.store.ts";

/** The read side of the tally: stores the counts that selections has computed, and lists them. */
export const summary = (store: SummaryStore, names: readonly string[], mixins: Partial<ServiceSchema>[] = []) => {
	// Calls during two running reads share the next read.
	const list = microBatch<null, Count[]>(
		async calls => {
			const counts = await store.list(names).catch(unavailableAs("Postgres"));
			return calls.map(() => counts);
		},
		{ maxItems: 10_000, maxWaiting: 10_000, concurrency: 2, name: "Postgres" }
	);

	return defineService({
		name: "summary",
		mixins,

		actions: {
			list: () => list(null),

			async raise(ctx) {
				await store.raise(ctx.params.counts).catch(unavailableAs("Postgres"));
				return null;
			}
		}
	});
};

/** Mixin: creates the tables of the summary, with a row for every configured name. */
export const summaryTables = (db: Database, store: SummaryStore, names: readonly string[]) =>
	database(db, new URL("./migrations/", import.meta.url), { seed: () => store.seed(names) });
