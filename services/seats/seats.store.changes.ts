// What every change of seats writes in its own transaction: the next version of the seat map, the holds, and the messages.
import type { Knex } from "knex";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Movement } from "../../mixins/reservation/reservation.rules.ts";
import type { OnMoved } from "../../mixins/reservation/reservation.store.ts";
import { type NewHold, toChanges, toMessages } from "./seats.rules.ts";

export interface Causes {
	/** The holds that begin, by their id. */
	begun?: ReadonlyMap<string, NewHold>;
	/** The requests that end holds, by the hold's id. */
	requestIDs?: ReadonlyMap<string, string | undefined>;
	/** Whether holds that are given back were not released by their buyers. */
	hasExpired?: boolean;
}

interface Ended {
	id: string;
	show_id: string;
	buyer_id: string;
	seats: string[];
}

/**
 * Locks the shows sorted, after the levels: every transaction that locks both does it in this order. Versions have no gaps and messages are in their order,
 * because the row is locked until the transaction commits.
 */
const CHANGE = `
	with locked as (
		select id from shows where id = any(:showIds::text[]) order by id for update
	), raised as (
		update shows set version = version + step.changes, revision = gen_random_uuid()
		from locked join unnest(:showIds::text[], :changes::int[]) as step (id, changes) using (id)
		where shows.id = locked.id
		returning shows.id, version
	), begun as (
		insert into seat_holds (id, show_id, buyer_id, seats, total_cents, request)
		select "holdId", "showId", "buyerId", seats, "totalCents", wanted
		from json_to_recordset(:begun::json)
			as hold ("holdId" text, "showId" text, "buyerId" text, seats text[], "totalCents" bigint, wanted json)
	), ended as (
		update seat_holds set is_open = false where id = any(:ended::text[]) returning id, show_id, buyer_id, seats
	)
	select (select json_agg(raised) from raised) as raised, (select json_agg(ended) from ended) as ended`;

const isReserve = ({ kind }: Movement) => kind === "reserve";

/** For the operations of the reservations. In `reserve`, only expired holds are given back. */
export const writeChanges =
	(outbox: Outbox, { begun = new Map(), requestIDs, hasExpired = false }: Causes): OnMoved =>
	async (trx, movements) => {
		const holders = (wanted: Movement[]) => [...new Set(wanted.map(({ holder }) => holder))];
		const given = movements.filter(({ kind }) => kind === "release");
		const changes = toChanges(movements);
		const steps = new Map<string, number>();
		for (const { showId } of changes) steps.set(showId, (steps.get(showId) ?? 0) + 1);
		const { rows } = await trx.raw(CHANGE, {
			showIds: [...steps.keys()],
			changes: [...steps.values()],
			begun: JSON.stringify(holders(movements.filter(isReserve)).map(holder => begun.get(holder)!)),
			ended: holders(movements.filter(movement => !isReserve(movement)))
		} as Record<string, Knex.Value>);
		const { raised, ended }: { raised: { id: string; version: number }[]; ended: Ended[] | null } = rows[0];
		const isExpired = new Set(hasExpired ? holders(given) : []);
		const expired = (ended ?? [])
			.filter(({ id }) => isExpired.has(id))
			.map(hold => ({ holdId: hold.id, showId: hold.show_id, buyerId: hold.buyer_id, seats: hold.seats }));
		const versions = new Map(raised.map(({ id, version }) => [id, version]));
		const causes = requestIDs ?? new Map([...begun].map(([holdId, { requestID }]) => [holdId, requestID]));
		await outbox.add(trx, toMessages(movements, changes, versions, expired, causes));
	};
