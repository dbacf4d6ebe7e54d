// Finds the seats of each request to hold some: the named ones, or the best that are free.
import { type SeatChooser, seatChooser } from "./seats.best.rules.ts";
import { noSuchSeats, noSuchShow, notEnoughSeats } from "./seats.errors.ts";
import type { KnownPlan } from "./seats.plans.ts";
import type { NewHold, Wanted } from "./seats.rules.ts";
import type { MapStore } from "./seats.store.maps.ts";

export interface HoldRequest {
	/** Of a request with an idempotency key, derived from it. */
	holdId: string;
	hasKey: boolean;
	showId: string;
	buyerId: string;
	wanted: Wanted;
	requestID?: string;
	/** Whether its caller has had the answer 503: then no seats may be held for it any more. */
	isTooLate: () => boolean;
}

/** A request whose show and seats exist. */
export interface ValidRequest extends HoldRequest {
	plan: KnownPlan;
}

export interface Choice {
	holds: NewHold[];
	/** Requests for more seats than are free. */
	refused: { request: ValidRequest; error: Error }[];
}

/** 404 `NOT_FOUND` for an unknown show, and for unknown seats (`data.seats`). */
export function validate(request: HoldRequest, plan: KnownPlan | undefined): ValidRequest | Error {
	if (!plan) return noSuchShow(request.showId);
	const { wanted } = request;
	const unknown = "seats" in wanted ? wanted.seats.filter(seat => !plan.positions.has(seat)) : [];
	return unknown.length > 0 ? noSuchSeats(unknown) : { ...request, plan };
}

export const buyerOf = ({ showId, buyerId, plan }: ValidRequest) => ({
	showId,
	buyerId,
	hasQueue: plan.show.queue !== undefined
});

function toNewHold(request: ValidRequest, positions: readonly number[]): NewHold {
	const { holdId, wanted, requestID, plan } = request;
	const seats = positions.map(position => plan.seats[position]!);
	return {
		...buyerOf(request),
		holdId,
		wanted,
		requestID,
		seats: seats.map(({ seat }) => seat),
		totalCents: seats.reduce((sum, { priceCents }) => sum + priceCents, 0)
	};
}

export function seatChoices(store: Pick<MapStore, "findStatuses">) {
	/** For each show the chooser among the seats that are free now, or whose hold has expired. */
	const openChoosers = async (requests: ValidRequest[]) => {
		const choosers = new Map<string, SeatChooser>();
		const plans = new Map(requests.map(({ showId, plan }) => [showId, plan]));
		for (const [showId, { layout, positions }] of plans) {
			const statuses = (await store.findStatuses([showId])).get(showId);
			if (!statuses) continue;
			const { letters, expired } = statuses;
			const expiredPositions = new Set(expired.map(seat => positions.get(seat)));
			choosers.set(
				showId,
				seatChooser(layout, position => letters[position] === "f" || expiredPositions.has(position))
			);
		}
		return choosers;
	};

	const positionsOf = ({ wanted, showId, plan }: ValidRequest, chooser: SeatChooser | undefined): number[] | Error => {
		if ("seats" in wanted) return wanted.seats.map(seat => plan.positions.get(seat)!);
		// Postgres was restored, and this process has read the show before.
		if (!chooser) return noSuchShow(showId);
		const { count, category } = wanted.best;
		return chooser.choose(count, category) ?? notEnoughSeats(count, chooser.countFree(category));
	};

	/** One request after the other, so that those of one batch do not compete for the best seats. */
	return async (requests: ValidRequest[]): Promise<Choice> => {
		const choosers = await openChoosers(requests.filter(({ wanted }) => "best" in wanted));
		const choice: Choice = { holds: [], refused: [] };
		for (const request of requests) {
			const chooser = choosers.get(request.showId);
			const positions = positionsOf(request, chooser);
			if (positions instanceof Error) choice.refused.push({ request, error: positions });
			else {
				chooser?.take(positions);
				choice.holds.push(toNewHold(request, positions));
			}
		}
		return choice;
	};
}
