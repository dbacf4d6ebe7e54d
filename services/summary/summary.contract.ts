// The contract of summary: the counts, for reading.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";

export const Count = z.strictObject({ name: Id, count: z.int().nonnegative() }).meta({ id: "Count" });

/** Every configured name, in the configured order, zeros too. */
export const Counts = z.array(Count);

export const actions = {
	"summary.list": action({
		summary: "Lists how often each name has been picked: every configured name, in order, zeros too",
		params: z.strictObject({}),
		result: Counts,
		example: {
			params: {},
			result: [
				{ name: "a", count: 0 },
				{ name: "d", count: 10 }
			]
		},
		who: "anyone",
		rest: "GET /selections"
	}),
	/** Raises counts; a count below the stored one changes nothing. Called by selections; not reachable from outside. */
	"summary.raise": action({ params: z.strictObject({ counts: Counts }), result: z.null() })
};

export const topics = {};

export type Count = z.output<typeof Count>;
