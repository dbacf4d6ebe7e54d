// Decisions about purchases, without I/O or a clock.
import { z } from "zod";
import { conflict } from "../../mixins/errors.ts";
import type { Purchase } from "./purchase.contract.ts";

/** A request to buy; perhaps a retry. */
export interface Attempt {
	id: string;
	userID: string;
	amountCents: number;
	/** ISO 8601, for a purchase that was made elsewhere. Without it, the purchase is made now. */
	createdAt?: string;
	requestID?: string;
}

/** The purchase under an attempt's id, and whether this attempt made it. */
export interface Outcome {
	purchase: Purchase;
	isNew: boolean;
}

/** Purchase ids are unique per user. The length keeps pairs apart, whatever their strings contain. */
const keyOf = ({ userID, id }: Attempt) => `${userID.length} ${userID}${id}`;

/** The first attempt of each purchase, and for every attempt the index of its purchase's first one. */
export function deduplicate(attempts: Attempt[]): { distinct: Attempt[]; indexes: number[] } {
	const distinct: Attempt[] = [];
	const known = new Map<string, number>();
	const indexes = attempts.map(attempt => {
		const key = keyOf(attempt);
		const index = known.get(key) ?? distinct.push(attempt) - 1;
		known.set(key, index);
		return index;
	});
	return { distinct, indexes };
}

/**
 * The outcome of each attempt, in order. `indexes`: as from `deduplicate`. `amountsCents`: the stored amount of each distinct purchase; undefined if it is
 * unknown, and then the outcome is the error `unknown`. `bought`: the indexes of the purchases that were made just now.
 */
export function outcomes(
	attempts: Attempt[],
	indexes: number[],
	amountsCents: (number | undefined)[],
	bought: ReadonlySet<number>,
	unknown?: Error
): (Outcome | Error)[] {
	const unanswered = new Set(bought);
	return attempts.map(({ id, userID, amountCents }, n) => {
		const index = indexes[n]!;
		const storedCents = amountsCents[index];
		if (storedCents === undefined) return unknown ?? new Error(`purchase ${id} of ${userID} was neither made nor found`);
		const isNew = unanswered.delete(index);
		if (storedCents !== amountCents)
			return conflict("this id belongs to a purchase with another amount", { id, user_id: userID, amount: storedCents / 100 });
		return { purchase: { id, user_id: userID, amount: storedCents / 100 }, isNew };
	});
}

const IsoTime = z.iso.datetime({ offset: true });

/** A foreign producer's time as ISO 8601 UTC; undefined if it is not one, or not one that Postgres can store (the year 0). */
export const isoTime = (text: string | undefined): string | undefined => {
	if (!IsoTime.safeParse(text).success) return undefined;
	const time = new Date(text as string);
	return time.getUTCFullYear() > 0 && time.getUTCFullYear() < 10_000 ? time.toISOString() : undefined;
};
