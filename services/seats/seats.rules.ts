// Decisions of seats without I/O, clock or randomness: the fields of a seat, the items of the reservations, answers and messages.
import { isDeepStrictEqual } from "node:util";
import { fromCents, toCents } from "../../contract/money.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Level, Movement, State } from "../../mixins/reservation/reservation.rules.ts";
import type { Hold, NewSeat, SeatMap, SeatStatus, Show, Sold } from "./seats.contract.ts";

/** A show without its seats. */
export interface StoredShow {
	showId: string;
	name: string;
	startsAt: Date;
	seatCount: number;
	createdAt: Date;
	queue?: { opensAt: Date; admitPerSecond: number };
}

/** What does not change about a seat. */
export interface SeatOfShow {
	seat: string;
	row: string;
	number: number;
	category: string;
	priceCents: number;
}

/** What a buyer asks for: these seats, or the best that are free. */
export type Wanted = { seats: string[] } | { best: { count: number; category?: string } };

/** An account that wants seats of a show. */
export interface Buyer {
	showId: string;
	buyerId: string;
	/** Whether the show has a queue. */
	hasQueue: boolean;
}

/** A hold that is not stored yet. */
export interface NewHold extends Buyer {
	holdId: string;
	seats: string[];
	totalCents: number;
	wanted: Wanted;
	requestID?: string;
}

export interface StoredHold extends Omit<NewHold, "requestID" | "hasQueue"> {
	state: State;
	expiresAt: Date;
	/** Whether it had expired, by Postgres' clock, when it was read; its seats may still be held until the sweep. */
	isExpired: boolean;
}

/** The statuses of all seats of a show in the order of its list, one letter each: `f`, `h` or `s`. */
export interface Statuses {
	version: number;
	/** Random, and new with every version. */
	revision: string;
	letters: string;
}

const DEFAULT_ROW = "general";
const DEFAULT_CATEGORY = "general";
/** `A1`: row A, number 1; `Balcony 3-12`: row Balcony 3, number 12. */
const ROW_AND_NUMBER = /^(.*?)[\s-]*(\d{1,6})$/u;

/** Derives missing fields from the name: `A12` is number 12 of row A, `12` number 12 of row general, and `Box` number 1 of row Box. */
export function toSeat(given: NewSeat): SeatOfShow {
	const { seat, row, number, category = DEFAULT_CATEGORY, price = 0 } = given;
	const [, prefix = seat, digits = "1"] = ROW_AND_NUMBER.exec(seat) ?? [];
	return { seat, row: row ?? (prefix || DEFAULT_ROW), number: number ?? Number(digits), category, priceCents: toCents(price) };
}

/** The item of a seat in the reservations. */
export const itemOf = (showId: string, seat: string) => `${showId}/${seat}`;

/** The reverse of `itemOf`: a show's id has no `/`, a seat may have some. */
export function seatOf(item: string): { showId: string; seat: string } {
	const end = item.indexOf("/");
	return { showId: item.slice(0, end), seat: item.slice(end + 1) };
}

export const statusOf = ({ stock, reserved }: Pick<Level, "stock" | "reserved">): SeatStatus =>
	stock === 0 ? "sold" : reserved > 0 ? "held" : "free";

const STATUSES: Record<string, SeatStatus> = { f: "free", h: "held", s: "sold" };

export const toMap = (showId: string, seats: readonly SeatOfShow[], { version, letters }: Statuses): SeatMap => ({
	showId,
	version,
	seats: seats.map(({ priceCents, ...seat }, position) => ({
		...seat,
		price: fromCents(priceCents),
		status: STATUSES[letters[position]!]!
	}))
});

export const toShow = ({ startsAt, createdAt, queue, ...show }: StoredShow): Show => ({
	...show,
	startsAt: startsAt.toISOString(),
	createdAt: createdAt.toISOString(),
	...(queue && { queue: { ...queue, opensAt: queue.opensAt.toISOString() } })
});

export const toHold = ({ holdId, showId, seats, totalCents }: NewHold | StoredHold, expiresAt: Date): Hold => ({
	holdId,
	showId,
	seats,
	total: fromCents(totalCents),
	expiresAt: expiresAt.toISOString()
});

export const toSold = ({ holdId, showId, seats }: StoredHold): Sold => ({ holdId, showId, seats, status: "sold" });

/** Whether a request under the key of a hold asks for the same: then it is a retry. */
export const isRetryOf = (hold: Pick<NewHold, "wanted">, wanted: Wanted) => isDeepStrictEqual(hold.wanted, wanted);

/** A hold keeps its seats while it is open, and for ever once it is sold. */
export const hasEnded = ({ state, isExpired }: Pick<StoredHold, "state" | "isExpired">) =>
	state === "given back" || (state === "reserved" && isExpired);

/** Seats of one message. Their names may have 64 characters of three bytes each, and a record of a topic has at most 1 MiB. */
const MAX_CHANGES = 1_000;

/** Seats of one show whose status has changed, as one message reports them. */
export interface Change {
	showId: string;
	seats: { seat: string; status: SeatStatus }[];
}

/** The seats whose status these movements have changed. The last movement of a seat has its status. */
export function toChanges(movements: readonly Movement[]): Change[] {
	const changes: Change[] = [];
	const current = new Map<string, Change>();
	for (const [item, level] of new Map(movements.map(movement => [movement.item, movement]))) {
		const { showId, seat } = seatOf(item);
		let change = current.get(showId);
		if (!change || change.seats.length === MAX_CHANGES) {
			change = { showId, seats: [] };
			changes.push(change);
			current.set(showId, change);
		}
		change.seats.push({ seat, status: statusOf(level) });
	}
	return changes;
}

/**
 * The messages of one transaction: its changes, and one for each hold that has expired. `versions`: of each show's last change. A message that several
 * requests have caused carries the id of the first.
 */
export function toMessages(
	movements: readonly Movement[],
	changes: readonly Change[],
	versions: ReadonlyMap<string, number>,
	expired: readonly { holdId: string; showId: string; buyerId: string; seats: string[] }[],
	requestIDs: ReadonlyMap<string, string | undefined> = new Map()
): Entry[] {
	const causes = new Map(movements.toReversed().map(({ item, holder }) => [seatOf(item).showId, requestIDs.get(holder)]));
	const next = new Map(versions);
	const updates = changes.toReversed().map(({ showId, seats }) => {
		const version = next.get(showId)!;
		next.set(showId, version - 1);
		return { topic: "seats.updated", message: { showId, version, seats }, requestID: causes.get(showId) };
	});
	return [
		...updates.toReversed(),
		...expired.map(({ holdId, showId, buyerId, seats }) => ({
			topic: "hold.expired",
			message: { holdId, showId, buyerId, seats }
		}))
	];
}
