// All that the rest of the system may know about health: every node answers for itself.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** What was looked at, and `ok` or what is wrong with it. */
export const Checks = z.record(z.string(), z.string());

export const Report = z.strictObject({ status: z.enum(["ok", "down"]), checks: Checks }).meta({ id: "Health" });

const report = { status: "ok", checks: { node: "ok", postgres: "ok" } } as const;

/**
 * What the front door answers by itself, described by hand: it does so before the broker has started, so these can not be actions.
 * `/metrics` is for those who run the system, on a port of its own, and not part of what is published.
 */
export const pages = {
	"/health": {
		summary: "Says whether all of the system works, all nodes merged, and what does not",
		result: Report,
		example: report,
		statuses: [200, 503]
	},
	"/health/ready": {
		summary: "The same as /health, for load balancers",
		result: Report,
		example: report,
		statuses: [200, 503]
	},
	"/health/live": {
		summary: "Answers as long as the process does: a restart would help nobody",
		result: z.strictObject({ status: z.literal("ok") }),
		example: { status: "ok" },
		statuses: [200]
	}
} as const;

export const actions = {
	/** One node's own view. Asked of every node, one by one. */
	"health.report": action({ params: z.strictObject({}), result: Checks })
};

export const topics = {};

export type Checks = z.output<typeof Checks>;
