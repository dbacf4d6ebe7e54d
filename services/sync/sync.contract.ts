// The contract of sync: one screen requests all counts, and every screen of the user gets them.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { topic } from "../../contract/topic.ts";
import { Accepted, countVersions } from "../selections/selections.contract.ts";
import { Counts } from "../summary/summary.contract.ts";

export const dependsOn = ["summary"] as const;

export const Synchronization = z.strictObject({ user_id: Id });
const SynchronizationMessage = z.object(Synchronization.shape);
export const SynchronizationResults = z.object({ user_id: Id, selections: Counts });

export const actions = {
	"sync.request": action({
		summary: "Requests all counts on all sockets of a user. When it responds, the request is durable on topic Synchronizations",
		params: Synchronization,
		result: Accepted,
		example: { params: { user_id: "test-user" }, result: { accepted: true } },
		who: "owner",
		rest: "POST /api/selections/synchronization",
		status: 202,
		actor: request => request.user_id
	})
};

export const topics = {
	Synchronizations: topic({ message: SynchronizationMessage, key: request => request.user_id }),
	SynchronizationResults: topic({
		message: SynchronizationResults,
		key: results => results.user_id,
		deliveries: [
			{
				to: { user: ({ user_id }) => user_id },
				frame: "SynchronizationResults",
				latest: {
					always: true,
					versions: ({ selections }) => countVersions.versions(selections),
					raise: (results, versionOf) => ({ ...results, selections: countVersions.raise(results.selections, versionOf) })
				}
			}
		]
	})
};
