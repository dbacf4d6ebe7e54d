import type { ServiceSchema } from "moleculer";
import { invalid } from "../../mixins/errors.ts";
import { whenAllSettled } from "../../mixins/when-all-settled.ts";
import { defineService } from "../define-service.ts";
import { summaries } from "./selections.rules.ts";
import type { SelectionStore } from "./selections.store.ts";
import { tally } from "./selections.tally.ts";

export interface SelectionsOptions {
	/** The names that can be picked. */
	names: readonly string[];
	/** Whether every pick is logged: building the lines costs time even if the log level drops them. */
	verbose?: boolean;
	mixins?: Partial<ServiceSchema>[];
}

/** Accepts picks and counts each id once. Picks of a name that is no longer configured still count: they were accepted before. */
export const selections = (store: SelectionStore, { names, verbose = false, mixins = [] }: SelectionsOptions) => {
	const countPicks = tally(store);

	return defineService({
		name: "selections",
		mixins,

		actions: {
			async pick(ctx) {
				if (!names.includes(ctx.params.name)) throw invalid([{ field: "name", message: `must be one of ${names.join(", ")}` }]);
				await this.publish("Selections", ctx.params, { requestID: ctx.requestID ?? ctx.id });
				return { accepted: true };
			}
		},

		publishes: ["Selections", "SelectionSummary"],
		topics: {
			Selections: {
				async batch(batch) {
					const { picks, counts } = await countPicks(batch);
					if (verbose && picks.length > 0) {
						for (const { message, record, requestID } of picks)
							this.logger.debug("stored", { ...message, partition: record.partition, offset: record.offset, requestID });
						this.logger.debug("total updated", { counts, requestIDs: picks.map(({ requestID }) => requestID) });
					}
					if (picks.length > 0) await picks.at(-1)!.ctx.call("summary.raise", { counts });
					await whenAllSettled(
						summaries(picks, counts).map(({ message, requestID }) => this.publish("SelectionSummary", message, { requestID }))
					);
					return { duplicates: batch.received.length - picks.length };
				}
			}
		}
	});
};
