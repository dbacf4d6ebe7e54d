// The contract of selections: picks, and the counts of the names.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { topic, watchedList } from "../../contract/topic.ts";
import { type Count, actions as summary } from "../summary/summary.contract.ts";

export const dependsOn = ["summary"] as const;

export const Selection = z
	.strictObject({ name: Id, id: Id, user_id: Id })
	.describe("One pick of one name by one user. `id` is chosen by the client: a pick that is sent twice with one id counts once.");

/** On the topic, unknown fields are ignored: foreign clients may send more fields. */
const SelectionMessage = z.object(Selection.shape);

export const Accepted = z
	.strictObject({ accepted: z.literal(true) })
	.meta({ id: "Accepted", description: "It is stored durably and will be processed" });

export const SelectionSummary = z.object({ name: Id, count: z.int().nonnegative(), user_id: Id });

/** The key under which a socket keeps the highest count that it has got for a name. */
const countKey = (name: string) => `selection:${name}`;

/** A list of counts is versioned count by count: a count is its own version, as it only grows. */
export const countVersions = {
	versions: (counts: Count[]) => counts.map(({ name, count }) => ({ key: countKey(name), version: count })),
	raise: (counts: Count[], versionOf: (key: string) => number) =>
		counts.map(({ name, count }) => ({ name, count: Math.max(count, versionOf(countKey(name))) }))
};

export const actions = {
	/** Errors: `VALIDATION_ERROR`, also for a name that cannot be selected. */
	"selections.pick": action({
		summary: "Picks one of the configured names. When it responds, the pick is durable on topic Selections",
		params: Selection,
		result: Accepted,
		example: {
			params: { name: "d", id: "e0fcd4e5-bdc2-4f4e-f6e8-920bfc07804a", user_id: "test-user" },
			result: { accepted: true }
		},
		who: "owner",
		rest: "POST /api/selections/async",
		status: 202,
		actor: pick => pick.user_id
	})
};

export const topics = {
	// Keyed by id: all copies of a pick are handled by one consumer.
	Selections: topic({ message: SelectionMessage, key: pick => pick.id }),
	SelectionSummary: topic({
		message: SelectionSummary,
		key: summary => summary.name,
		deliveries: [
			{
				to: { user: ({ user_id }) => user_id },
				frame: "SelectionSummary",
				latest: {
					versions: ({ name, count }) => [{ key: countKey(name), version: count }],
					raise: (message, versionOf) => ({ ...message, count: Math.max(message.count, versionOf(countKey(message.name))) })
				}
			},
			{
				to: {
					watchersOf: watchedList("selections", summary, "summary.list", {
						apply: (counts, { name, count }: SelectionSummary) =>
							counts.map(one => (one.name === name ? { name, count: Math.max(one.count, count) } : one)),
						latest: countVersions
					})
				},
				frame: "Selections"
			}
		]
	})
};

export type Selection = z.output<typeof Selection>;
export type SelectionSummary = z.output<typeof SelectionSummary>;
