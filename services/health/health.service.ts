import { defineService } from "../define-service.ts";
import { ownHealth } from "./health.ts";

/** Every node answers for itself; the gateway adds the answers up. */
export default defineService({
	name: "health",
	actions: {
		report: async ctx => (await ownHealth(ctx.broker)).checks
	}
});
