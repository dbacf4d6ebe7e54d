import type { ServiceSchema } from "moleculer";
import { defineService } from "../define-service.ts";

/** Publishes all counts for a user whose screen has connected. It goes through topics, so that every socket of the user on every node gets them. */
export const sync = (mixins: Partial<ServiceSchema>[]) =>
	defineService({
		name: "sync",
		mixins,

		actions: {
			async request(ctx) {
				await this.publish("Synchronizations", ctx.params, { requestID: ctx.requestID ?? ctx.id });
				return { accepted: true };
			}
		},

		publishes: ["Synchronizations", "SynchronizationResults"],
		topics: {
			async Synchronizations({ message, ctx, requestID }) {
				const selections = await ctx.call("summary.list", {});
				await this.publish("SynchronizationResults", { user_id: message.user_id, selections }, { requestID });
			}
		}
	});
