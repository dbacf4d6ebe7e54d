import { defineService } from "../define-service.ts";
import { nodeHealth } from "./health.checks.ts";

/** Reports the health of this node; the gateway's node merges the reports of all nodes. */
export const health = () =>
	defineService({
		name: "health",
		actions: {
			report: async ctx => (await nodeHealth(ctx.broker)).checks
		}
	});
