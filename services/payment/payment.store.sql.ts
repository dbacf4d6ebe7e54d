// The statements on table `payments`, and its rows.
import type { Knex } from "knex";
import { ENTRIES } from "../../mixins/outbox/outbox.ts";
import type { State, StoredPayment } from "./payment.rules.ts";

export interface Row {
	order_id: string;
	state: State;
	buyer_id: string | null;
	amount_cents: string | null;
	request_id: string | null;
	asked: number;
}

export const toPayment = ({ order_id, state, buyer_id, amount_cents, request_id }: Row): StoredPayment => ({
	orderId: order_id,
	state,
	buyerId: buyer_id ?? undefined,
	amountCents: amount_cents === null ? undefined : Number(amount_cents),
	requestID: request_id ?? undefined
});

/** Makes a row to lock for each new order; state `unknown` is never committed. In the order of the ids, like all locks: transactions could deadlock otherwise. */
export const INSERT_MISSING = `
	insert into payments (order_id, state) select id, 'unknown' from unnest(?::text[]) as id order by id
	on conflict (order_id) do nothing`;
export const LOCK = "select * from payments where order_id = any(?::text[]) order by order_id for update";
/**
 * Writes payments together with their messages, each only if it still has the state in which it was decided; `before` is null for one that is not stored. Returns
 * the orders whose payment was written. A new request is due at once.
 */
export const WRITE = `
	with decided as (
		select * from unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::boolean[])
			as decided (order_id, before, state, buyer_id, amount_cents, request_id, is_new)
	), inserted as (
		insert into payments (order_id, state, buyer_id, amount_cents, request_id)
		select order_id, state, buyer_id, amount_cents, request_id from decided where before is null order by order_id
		on conflict (order_id) do nothing
		returning order_id
	), unchanged as (
		select payments.order_id from payments join decided on payments.order_id = decided.order_id and payments.state = decided.before
		order by payments.order_id for update of payments
	), updated as (
		update payments set state = decided.state, buyer_id = decided.buyer_id, amount_cents = decided.amount_cents,
			request_id = decided.request_id, updated_at = clock_timestamp(),
			ask_at = case when decided.is_new then clock_timestamp() else ask_at end, asked = case when decided.is_new then 0 else asked end
		from decided join unchanged using (order_id)
		where payments.order_id = decided.order_id
		returning payments.order_id
	), written as (
		select order_id from inserted union all select order_id from updated
	), published as (
		insert into ?? (topic, key, value, headers)
		select topic, entry.key, value, headers
		from written join unnest(?::text[]) with ordinality as message (order_id, n) using (order_id) join ${ENTRIES} using (n) order by n
	)
	select order_id from written`;
/** Skips locked rows: another transaction is changing or claiming them. */
export const CLAIM = `
	with due as (
		select order_id from payments where state in ('pending', 'charging', 'stopping', 'refunding') and ask_at <= clock_timestamp()
		order by ask_at limit ? for update skip locked
	)
	update payments set state = sent.after, asked = asked + 1, ask_at = clock_timestamp() + ? * interval '1 ms', updated_at = clock_timestamp()
	from due, unnest(?::text[], ?::text[]) as sent (before, after)
	where payments.order_id = due.order_id and payments.state = sent.before
	returning payments.*`;
export const FIND = "select * from payments where order_id = ?";
export const POSTPONE = "update payments set ask_at = clock_timestamp() + ? * interval '1 ms' where order_id = ?";

export const query = async <R>(on: Knex, sql: string, values: unknown[]): Promise<R[]> =>
	(await on.raw(sql, values as Knex.Value[])).rows;
