// The contract of health: each node reports its own state.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** Check → `ok` or its problem. */
export const Checks = z.record(z.string(), z.string());

export const Report = z.strictObject({ status: z.enum(["ok", "down"]), checks: Checks }).meta({ id: "Health" });

const report = { status: "ok", checks: { node: "ok", postgres: "ok" } } as const;

/**
 * The pages that the HTTP listener serves itself, described for the OpenAPI document. They respond before the broker has started, so they cannot
 * be actions. `/metrics` is for operators, on another port, and not in the document.
 */
export const pages = {
	"/health": {
		summary: "Reports whether the whole system works, merged over all nodes, and what does not",
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
		summary: "Responds as long as the process runs, whatever the state of its dependencies",
		result: z.strictObject({ status: z.literal("ok") }),
		example: { status: "ok" },
		statuses: [200]
	}
} as const;

export const actions = {
	/** The checks of one node. The gateway calls it on every node by its node id. */
	"health.report": action({ params: z.strictObject({}), result: Checks })
};

export const topics = {};

export type Checks = z.output<typeof Checks>;
