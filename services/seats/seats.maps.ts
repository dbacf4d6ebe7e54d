// Answers seat maps. Their seats are known, their statuses may be cached; only the version is read from Postgres each time.
import type { SeatMap } from "./seats.contract.ts";
import type { FindPlans, KnownPlan } from "./seats.plans.ts";
import { type Statuses, toMap } from "./seats.rules.ts";
import type { StatusCache } from "./seats.store.cache.ts";
import type { MapStore } from "./seats.store.maps.ts";

/** Resolves with the maps in this order; undefined for an unknown show. A map is the same object until it changes: nobody may write to it. */
export function seatMaps(store: MapStore, findPlans: FindPlans, cache: StatusCache) {
	/** The last map of each show whose plan is kept. */
	const built = new WeakMap<KnownPlan, { revision: string; map: SeatMap }>();

	/** From the cache, or from Postgres, which may have a newer version by now. */
	const findStatuses = async (showId: string, current: Omit<Statuses, "letters">): Promise<Statuses | undefined> => {
		const letters = await cache.get(showId, current.revision);
		if (letters !== undefined) return { ...current, letters };
		const statuses = (await store.findStatuses([showId])).get(showId);
		if (statuses) cache.set(showId, statuses.revision, statuses.letters);
		return statuses;
	};

	const findMap = async (showId: string, current: Omit<Statuses, "letters">): Promise<SeatMap | undefined> => {
		const plan = (await findPlans([showId])).get(showId);
		if (!plan) return undefined;
		const last = built.get(plan);
		if (last?.revision === current.revision) return last.map;
		const statuses = await findStatuses(showId, current);
		if (!statuses) return undefined;
		const map = toMap(showId, plan.seats, statuses);
		built.set(plan, { revision: statuses.revision, map });
		return map;
	};

	return async (showIds: string[]): Promise<(SeatMap | undefined)[]> => {
		const maps = new Map<string, SeatMap | undefined>();
		// One after the other: a statement about many large shows would block the embedded Postgres for seconds.
		for (const [showId, current] of await store.findVersions([...new Set(showIds)]))
			maps.set(showId, await findMap(showId, current));
		return showIds.map(showId => maps.get(showId));
	};
}
