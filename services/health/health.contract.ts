// All that the rest of the system may know about health: every node answers for itself.
import { z } from "zod";
import { action } from "../../define.ts";

/** What was looked at, and `ok` or what is wrong with it. */
export const Checks = z.record(z.string(), z.string());

export const actions = {
	/** One node's own view. Asked of every node, one by one. */
	"health.report": action({ params: z.strictObject({}), result: Checks })
};

export const topics = {};

export type Checks = z.output<typeof Checks>;
