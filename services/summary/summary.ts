import type { ServiceSchema } from "moleculer";
import { type Database, database } from "../../mixins/database/database.ts";
import { unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { defineService } from "../define-service.ts";
import type { Count } from "./summary.contract.ts";
import type { SummaryStore } from "./summary.store.ts";

/** The read side of the tally: what the counter worked out, kept where it can be listed. */
export const summary = (store: SummaryStore, names: readonly string[], mixins: Partial<ServiceSchema>[] = []) => {
	// Whoever asks while two reads are under way shares the next one.
	const list = microBatch<null, Count[]>(
		async asked => {
			const counts = await store.list(names).catch(unavailableAs("Postgres"));
			return asked.map(() => counts);
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

/** The tables of the summary, with a row for every name that may be picked. */
export const summaryTables = (db: Database, store: SummaryStore, names: readonly string[]) =>
	database(db, new URL("./migrations/", import.meta.url), () => store.seed(names));
