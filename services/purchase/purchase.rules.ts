// What is decided about purchases, without a store or a clock.
import { z } from "zod";
import { conflict } from "../../mixins/errors.ts";
import type { Purchase } from "./purchase.contract.ts";

/** Somebody wants to buy: perhaps again what they have bought already. */
export interface Attempt {
	id: string;
	userID: string;
	amountCents: number;
	/** ISO 8601, when it was bought elsewhere and long ago; else it is bought now. */
	createdAt?: string;
	requestID?: string;
}

/** What an attempt came to: the purchase under its id, and whether this attempt made it. */
export interface Outcome {
	purchase: Purchase;
	isNew: boolean;
}

/** An id is one user's own. No two pairs have one key, whatever their texts hold. */
const keyOf = ({ userID, id }: Attempt) => `${userID.length} ${userID}${id}`;

/** Of several attempts at one purchase the first to arrive stands for all: those, and for each attempt the index of the one that stands for it. */
export function deduplicate(attempts: Attempt[]): { wanted: Attempt[]; places: number[] } {
	const wanted: Attempt[] = [];
	const known = new Map<string, number>();
	const places = attempts.map(attempt => {
		const key = keyOf(attempt);
		const place = known.get(key) ?? wanted.push(attempt) - 1;
		known.set(key, place);
		return place;
	});
	return { wanted, places };
}

/**
 * What to answer to each attempt, in order: by its place, the amount that stands there, and the places where something was bought just now.
 * `unknown`: why nobody could say what stands at the places without an amount.
 */
export function outcomes(
	attempts: Attempt[],
	places: number[],
	amountsCents: (number | undefined)[],
	bought: ReadonlySet<number>,
	unknown?: Error
): (Outcome | Error)[] {
	const left = new Set(bought);
	return attempts.map(({ id, userID, amountCents }, index) => {
		const place = places[index]!;
		const stands = amountsCents[place];
		if (stands === undefined) return unknown ?? new Error(`purchase ${id} of ${userID} was neither made nor found`);
		const isNew = left.delete(place);
		if (stands !== amountCents)
			return conflict("this id has bought something for another amount", { id, user_id: userID, amount: stands / 100 });
		return { purchase: { id, user_id: userID, amount: stands / 100 }, isNew };
	});
}

const IsoTime = z.iso.datetime({ offset: true });

/** A time from elsewhere as ISO 8601 UTC, if it is one. The year 0 is none to Postgres. */
export const isoTime = (text: string | undefined): string | undefined => {
	if (!IsoTime.safeParse(text).success) return undefined;
	const time = new Date(text as string);
	return time.getUTCFullYear() > 0 && time.getUTCFullYear() < 10_000 ? time.toISOString() : undefined;
};
