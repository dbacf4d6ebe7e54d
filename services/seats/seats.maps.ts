// Answers seat maps. Their seats are known, their statuses may be cached; only the version is read from Postgres each time.
import type { SeatMap } from "./seats.contract.ts";
import type { FindPlans } from "./seats.plans.ts";
import { type Statuses, toMap } from "./seats.rules.ts";
import type { StatusCache } from "./seats.store.cache.ts";
import type { MapStore } from "./seats.store.maps.ts";

/** Resolves with the maps in this order; undefined for an unknown show. Equal ids share one map. */
export function seatMaps(store: MapStore, findPlans: FindPlans, cache: StatusCache) {
	/** From the cache; undefined where it has no entry of this revision. */
	const findCached = async (versions: Map<string, Pick<Statuses, "version" | "revision">>) =>
		new Map(
			await Promise.all(
				[...versions].map(async ([showId, current]): Promise<[string, Statuses | undefined]> => {
					const letters = await cache.get(showId, current.revision);
					return [showId, letters === undefined ? undefined : { ...current, letters }];
				})
			)
		);

	return async (showIds: string[]): Promise<(SeatMap | undefined)[]> => {
		const distinct = [...new Set(showIds)];
		const found = await findCached(await store.findVersions(distinct));
		const missing = [...found].flatMap(([showId, statuses]) => (statuses ? [] : [showId]));
		if (missing.length > 0)
			for (const [showId, statuses] of await store.findStatuses(missing)) {
				cache.set(showId, statuses.revision, statuses.letters);
				found.set(showId, statuses);
			}
		const plans = await findPlans(found.keys());
		const maps = new Map<string, SeatMap>();
		for (const [showId, statuses] of found) {
			const plan = plans.get(showId);
			if (plan && statuses) maps.set(showId, toMap(showId, plan.seats, statuses));
		}
		return showIds.map(showId => maps.get(showId));
	};
}
