// The statuses of seats in Redis, for all nodes: `seats:<showId>` holds the revision and the letters.
import type { Redis } from "../../mixins/redis.ts";
import type { StatusCache } from "./seats.store.cache.ts";

const MAX_AGE_SECONDS = 24 * 3_600;

const keyOf = (showId: string) => `seats:${showId}`;

export function redisCache({ client }: Pick<Redis, "client">): StatusCache {
	return {
		async get(showId, revision) {
			const text = await client.get(keyOf(showId)).catch(() => null);
			return text?.startsWith(`${revision} `) ? text.slice(revision.length + 1) : undefined;
		},

		set(showId, revision, letters) {
			client.set(keyOf(showId), `${revision} ${letters}`, "EX", MAX_AGE_SECONDS).catch(() => {});
		}
	};
}
