// The seating plans that this process has read: they never change, so requests need not read them again.
import { type Layout, layoutOf } from "./seats.best.rules.ts";
import type { SeatingPlan, ShowStore } from "./seats.store.shows.ts";

export interface KnownPlan extends SeatingPlan {
	/** The position of each seat by its name. */
	positions: ReadonlyMap<string, number>;
	layout: Layout;
}

/** Unknown ids are left out. */
export type FindPlans = (showIds: Iterable<string>) => Promise<Map<string, KnownPlan>>;

const toKnown = ({ show, seats }: SeatingPlan): KnownPlan => ({
	show,
	seats,
	positions: new Map(seats.map(({ seat }, position) => [seat, position])),
	layout: layoutOf(seats)
});

/** Keeps those that were used last, as many as have `maxSeats` seats together. */
export function seatingPlans(store: Pick<ShowStore, "findPlans">, maxSeats = 100_000): FindPlans {
	const known = new Map<string, KnownPlan>();
	let kept = 0;

	const keep = (showId: string, plan: KnownPlan) => {
		kept += known.get(showId) ? 0 : plan.seats.length;
		// The last one used is the last one of the map.
		known.delete(showId);
		known.set(showId, plan);
	};
	const forgetOldest = () => {
		for (const [showId, { seats }] of known) {
			if (kept <= maxSeats) return;
			known.delete(showId);
			kept -= seats.length;
		}
	};

	return async showIds => {
		const plans = new Map<string, KnownPlan>();
		const missing: string[] = [];
		for (const showId of new Set(showIds)) {
			const plan = known.get(showId);
			if (plan) plans.set(showId, plan);
			else missing.push(showId);
		}
		// One after the other: a statement about many large shows would block the embedded Postgres for seconds.
		for (const showId of missing) {
			const plan = (await store.findPlans([showId])).get(showId);
			if (plan) plans.set(showId, toKnown(plan));
		}
		for (const [showId, plan] of plans) keep(showId, plan);
		forgetOldest();
		return plans;
	};
}
