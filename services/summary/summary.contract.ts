// All that the rest of the system may know about the read side of the tally.
import { z } from "zod";
import { action, Id } from "../../define.ts";

export const Count = z.strictObject({ name: Id, count: z.int().nonnegative() });

/** Every configured name, in the configured order, zeros too. */
export const Counts = z.array(Count);

export const actions = {
	/** Errors: `UNAVAILABLE`. */
	"summary.list": action({ params: z.strictObject({}), result: Counts, who: "anyone", rest: "GET /selections" }),
	/** Raises counts; a count below what is stored changes nothing. For the counter alone: no door leads here from outside. */
	"summary.raise": action({ params: z.strictObject({ counts: Counts }), result: z.null() })
};

export const topics = {};

export type Count = z.output<typeof Count>;
