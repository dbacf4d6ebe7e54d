// Holds in Postgres. A hold is the holder of a reservation of its seats; its row says whose it is, and is the answer to a retry.
import type { Knex } from "knex";
import { invalid } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Deducted, GivenBack, Reserved, State } from "../../mixins/reservation/reservation.rules.ts";
import type { Reservations } from "../../mixins/reservation/reservation.store.ts";
import { type Buyer, itemOf, type NewHold, type StoredHold, type Wanted } from "./seats.rules.ts";
import { type BuyerRuleOptions, buyerRules, joinState, type Refusal } from "./seats.store.buyer-rules.ts";
import { writeChanges } from "./seats.store.changes.ts";

/** A hold that ends, and the request that ends it. */
export interface HoldRef {
	holdId: string;
	requestID?: string;
}

export interface HoldStore {
	/** Reserves the seats of each hold, or none of it. With `NOT_ALLOWED`, the reason is a `Refusal`. Rejects only if no seat is reserved. */
	reserve(holds: NewHold[]): Promise<(Reserved | Error)[]>;
	/** Why these buyers may not hold seats, in order; undefined: they may. */
	findRefusals(buyers: Buyer[]): Promise<(Refusal | undefined)[]>;
	/** Unknown ids are left out. */
	findHolds(ids: string[]): Promise<Map<string, StoredHold>>;
	/** The open holds of a buyer, the newest first. Rejects with `VALIDATION_ERROR` if `after` is no hold of this buyer. */
	listOpen(page: { buyerId: string; limit: number; after?: string }): Promise<StoredHold[]>;
	/** Sells what these holds have reserved, unless they have expired. */
	sell(holds: HoldRef[]): Promise<Deducted[]>;
	/** Frees what these holds have reserved; `left`: it is sold. */
	release(holds: HoldRef[]): Promise<GivenBack[]>;
	/** Frees what has expired, the earliest first, at most `limit` holds. Returns their ids, each once over all nodes. */
	expire(limit: number): Promise<string[]>;
}

interface Row {
	id: string;
	show_id: string;
	buyer_id: string;
	seats: string[];
	total_cents: string;
	request: Wanted;
	state: State;
	expires_at: Date;
	is_expired: boolean;
}

const toHold = (row: Row): StoredHold => ({
	holdId: row.id,
	showId: row.show_id,
	buyerId: row.buyer_id,
	seats: row.seats,
	totalCents: Number(row.total_cents),
	wanted: row.request,
	state: row.state,
	expiresAt: row.expires_at,
	isExpired: row.is_expired
});

/** A number above that of every hold. */
const NEWEST = { number: String(Number.MAX_SAFE_INTEGER) };

export interface HoldOptions extends BuyerRuleOptions {
	holdSeconds: number;
}

/** `seats`: the reservations of all seats. */
export function sqlHolds(knex: Knex, seats: Reservations, outbox: Outbox, options: HoldOptions): HoldStore {
	const { readRules, policyFor } = buyerRules(options);
	const lifetimeMs = options.holdSeconds * 1_000;
	const STATE = joinState(options.now);
	const FIND = `
		select * from unnest(?::text[]) as wanted (id)
		cross join lateral (select * from seat_holds where id = wanted.id offset 0) as hold ${STATE}`;
	const LIST_OPEN = `
		select * from seat_holds as hold ${STATE}
		where is_open and buyer_id = ? and state = 'reserved' and not is_expired and number < ?::bigint
		order by number desc limit ?`;

	const query = async <Found>(on: Knex, sql: string, values: unknown[]): Promise<Found[]> =>
		(await on.raw(sql, values as Knex.Value[])).rows;
	const idsOf = (holds: HoldRef[]) => holds.map(({ holdId }) => holdId);
	const causedBy = (holds: HoldRef[], hasExpired = false) =>
		writeChanges(outbox, { requestIDs: new Map(holds.map(({ holdId, requestID }) => [holdId, requestID])), hasExpired });

	return {
		reserve(newHolds) {
			const begun = new Map(newHolds.map(hold => [hold.holdId, hold]));
			const requests = newHolds.map(({ holdId, showId, seats: held }) => ({
				holder: holdId,
				lines: held.map(seat => ({ item: itemOf(showId, seat), quantity: 1 })),
				lifetimeMs
			}));
			return seats.reserve(requests, {
				policy: policyFor(begun),
				onMoved: writeChanges(outbox, { begun, hasExpired: true })
			});
		},

		async findRefusals(buyers) {
			const rule = await readRules(knex, buyers);
			return buyers.map(buyer => rule(buyer, 0));
		},

		async findHolds(ids) {
			return new Map((await query<Row>(knex, FIND, [ids])).map(row => [row.id, toHold(row)]));
		},

		async listOpen({ buyerId, limit, after }) {
			const FIND_CURSOR = "select number from seat_holds where id = ? and buyer_id = ?";
			const [cursor] = after === undefined ? [NEWEST] : await query<{ number: string }>(knex, FIND_CURSOR, [after, buyerId]);
			if (!cursor) throw invalid([{ field: "after", message: "must be the holdId of one of your holds" }]);
			return (await query<Row>(knex, LIST_OPEN, [buyerId, cursor.number, limit])).map(toHold);
		},

		sell: holds => seats.deduct(idsOf(holds), { unlessExpired: true, onMoved: causedBy(holds) }),
		release: holds => seats.giveBack(idsOf(holds), { reservedOnly: true, onMoved: causedBy(holds) }),
		expire: limit => seats.expire({ limit, onMoved: causedBy([], true) })
	};
}
