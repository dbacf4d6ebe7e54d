// What a buyer must comply with to hold seats of a show: to be admitted if the show has a queue, and to have few open holds.
import type { Knex } from "knex";
import type { Request } from "../../mixins/reservation/reservation.rules.ts";
import { MAX_OPEN_HOLDS } from "./seats.contract.ts";
import type { Buyer, NewHold } from "./seats.rules.ts";

/** Whether each of these buyers is admitted to the show, which has a queue; in order. */
export type AreAdmitted = (knex: Knex, buyers: Buyer[]) => Promise<boolean[]>;

/** Why a buyer may not hold seats of a show. */
export type Refusal = "NOT_FOUND" | "NOT_ADMITTED" | "TOO_MANY_HOLDS";

export interface BuyerRuleOptions {
	/** The SQL of the present time. */
	now: string;
	areAdmitted: AreAdmitted;
}

/** Later changes of these shows wait: while a batch decides, no other one can open a hold of the same buyer. */
const LOCK_SHOWS = "select id from shows where id = any(?::text[]) order by id for update";

/**
 * SQL that joins to each `hold` the state of its reservation. By the primary keys: without `offset 0` the planner may scan whole tables when their statistics
 * are missing, as in the embedded Postgres.
 */
export const joinState = (now: string) => `cross join lateral (
	select state, expires_at, expires_at <= ${now} as is_expired from seats_holders where holder = hold.id offset 0
) as holder`;

export function buyerRules({ now, areAdmitted }: BuyerRuleOptions) {
	/** In the order of the buyers. */
	const COUNT_OPEN = `
		select (
			select count(*) from seat_holds as hold ${joinState(now)}
			where is_open and buyer_id = asked.buyer and show_id = asked.show and state = 'reserved' and not is_expired
		)::int as open
		from unnest(?::text[], ?::text[]) with ordinality as asked (show, buyer, n) order by n`;

	/** The rule for each buyer, given how many of the buyer's holds the same batch has opened before. */
	const readRules = async (on: Knex, buyers: Buyer[]) => {
		const inQueue = buyers.filter(({ hasQueue }) => hasQueue);
		const admitted = inQueue.length > 0 ? await areAdmitted(on, inQueue) : [];
		const isAdmitted = new Map(inQueue.map((buyer, n) => [buyer, admitted[n]!]));
		const columns = [buyers.map(({ showId }) => showId), buyers.map(({ buyerId }) => buyerId)];
		const { rows: counted }: { rows: { open: number }[] } = await on.raw(COUNT_OPEN, columns);
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
		const showIds = requests.map(request => holdOf(request).showId);
		const { rows: found }: { rows: { id: string }[] } = await trx.raw(LOCK_SHOWS, [showIds]);
		const exists = new Set(found.map(({ id }) => id));
		const rule = await readRules(trx, requests.map(holdOf));
		return (request: Request, reserved: readonly Request[]): Refusal | undefined => {
			const hold = holdOf(request);
			// Postgres was restored, and this process has read the show before.
			if (!exists.has(hold.showId)) return "NOT_FOUND";
			return rule(hold, reserved.filter(other => isSameBuyer(holdOf(other), hold)).length);
		};
	};

	return { readRules, policyFor };
}
