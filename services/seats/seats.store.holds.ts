// Holds in Postgres. A hold is the holder of a reservation of its seats; its row says whose it is, and is the answer to a retry.
import type { Knex } from "knex";
import { invalid } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Deducted, GivenBack, Request, Reserved, State } from "../../mixins/reservation/reservation.rules.ts";
import type { Reservations } from "../../mixins/reservation/reservation.store.ts";
import { MAX_OPEN_HOLDS } from "./seats.contract.ts";
import { type Buyer, itemOf, type NewHold, type StoredHold, type Wanted } from "./seats.rules.ts";
import { writeChanges } from "./seats.store.changes.ts";

/** Whether each of these buyers is admitted to the show, which has a queue; in order. */
export type AreAdmitted = (knex: Knex, buyers: Buyer[]) => Promise<boolean[]>;

/** Why a buyer may not hold seats of a show. */
export type Refusal = "NOT_FOUND" | "NOT_ADMITTED" | "TOO_MANY_HOLDS";

/** A hold that ends, and the request that ends it. */
export interface HoldRef {
	holdId: string;
	requestID?: string;
}

export interface HoldStore {
	/** Reserves the seats of each hold, or none of it. With `NOT_ALLOWED`, the reason is a `Refusal`. */
	reserve(holds: NewHold[]): Promise<Reserved[]>;
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

/** Later changes of these shows wait: while a batch decides, no other one can open a hold of the same buyer. */
const LOCK_SHOWS = "select id from shows where id = any(?::text[]) order by id for update";

export interface HoldOptions {
	holdSeconds: number;
	/** The SQL of the present time. */
	now: string;
	areAdmitted: AreAdmitted;
}

/** `seats`: the reservations of all seats. */
export function sqlHolds(knex: Knex, seats: Reservations, outbox: Outbox, options: HoldOptions): HoldStore {
	const { now, areAdmitted } = options;
	const lifetimeMs = options.holdSeconds * 1_000;
	/** By the primary keys: without `offset 0` the planner may scan whole tables when their statistics are missing, as in the embedded Postgres. */
	const STATE = `cross join lateral (
		select state, expires_at, expires_at <= ${now} as is_expired from seats_holders where holder = hold.id offset 0
	) as holder`;
	const FIND = `
		select * from unnest(?::text[]) as wanted (id)
		cross join lateral (select * from seat_holds where id = wanted.id offset 0) as hold ${STATE}`;
	/** In the order of the buyers. */
	const COUNT_OPEN = `
		select (
			select count(*) from seat_holds as hold ${STATE}
			where is_open and buyer_id = asked.buyer and show_id = asked.show and state = 'reserved' and not is_expired
		)::int as open
		from unnest(?::text[], ?::text[]) with ordinality as asked (show, buyer, n) order by n`;
	const LIST_OPEN = `
		select * from seat_holds as hold ${STATE}
		where is_open and buyer_id = ? and state = 'reserved' and not is_expired and number < ?::bigint
		order by number desc limit ?`;

	const query = async <Found>(on: Knex, sql: string, values: unknown[]): Promise<Found[]> =>
		(await on.raw(sql, values as Knex.Value[])).rows;
	const idsOf = (holds: HoldRef[]) => holds.map(({ holdId }) => holdId);
	const causedBy = (holds: HoldRef[], hasExpired = false) =>
		writeChanges(outbox, { requestIDs: new Map(holds.map(({ holdId, requestID }) => [holdId, requestID])), hasExpired });

	/** The rule for each buyer, given how many of the buyer's holds the same batch has opened before. */
	const readRules = async (on: Knex, buyers: Buyer[]) => {
		const inQueue = buyers.filter(({ hasQueue }) => hasQueue);
		const admitted = inQueue.length > 0 ? await areAdmitted(on, inQueue) : [];
		const isAdmitted = new Map(inQueue.map((buyer, n) => [buyer, admitted[n]!]));
		const columns = [buyers.map(({ showId }) => showId), buyers.map(({ buyerId }) => buyerId)];
		const counted = await query<{ open: number }>(on, COUNT_OPEN, columns);
		const open = new Map(buyers.map((buyer, n) => [buyer, counted[n]!.open]));
		return (buyer: Buyer, opened: number): Refusal | undefined => {
			if (buyer.hasQueue && !isAdmitted.get(buyer)) return "NOT_ADMITTED";
			return open.get(buyer)! + opened >= MAX_OPEN_HOLDS ? "TOO_MANY_HOLDS" : undefined;
		};
	};

	/** Locks the shows first: what it reads then stays true until the transaction ends. */
	const policyFor = (holds: ReadonlyMap<string, NewHold>) => async (trx: Knex, requests: Request[]) => {
		const holdOf = ({ holder }: Request) => holds.get(holder)!;
		const isSameBuyer = (one: NewHold, other: NewHold) => one.buyerId === other.buyerId && one.showId === other.showId;
		const shows = await query<{ id: string }>(trx, LOCK_SHOWS, [requests.map(request => holdOf(request).showId)]);
		const exists = new Set(shows.map(({ id }) => id));
		const rule = await readRules(trx, requests.map(holdOf));
		return (request: Request, reserved: readonly Request[]): Refusal | undefined => {
			const hold = holdOf(request);
			// Postgres was restored, and this process has read the show before.
			if (!exists.has(hold.showId)) return "NOT_FOUND";
			return rule(hold, reserved.filter(other => isSameBuyer(holdOf(other), hold)).length);
		};
	};

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
