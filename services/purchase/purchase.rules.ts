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

/** An id is one user's own. */
export const keyOf = ({ userID, id }: { userID: string; id: string }) => JSON.stringify([userID, id]);

/** Of several attempts at one purchase the first to arrive stands for all. */
export function firsts(attempts: Attempt[]): Attempt[] {
	const first = new Map<string, Attempt>();
	for (const attempt of attempts) if (!first.has(keyOf(attempt))) first.set(keyOf(attempt), attempt);
	return [...first.values()];
}

/** What to answer to each attempt, in order, given the amount that stands under each key and which of them are new. */
export function outcomes(attempts: Attempt[], amountsCents: Map<string, number>, bought: Set<string>): (Outcome | Error)[] {
	const left = new Set(bought);
	return attempts.map(attempt => {
		const { id, userID, amountCents } = attempt;
		const key = keyOf(attempt);
		const stands = amountsCents.get(key);
		if (stands === undefined) return new Error(`purchase ${key} was neither made nor found`);
		const isNew = left.delete(key);
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
