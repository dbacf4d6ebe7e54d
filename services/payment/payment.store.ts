// Payments in Postgres: one row an order, which every change locks first, and the messages that tell of it in the same transaction.
import type { Knex } from "knex";
import { unavailableAs } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { applyEvents, type PaymentEvent, PROVIDER_REQUESTS, type State, type StoredPayment } from "./payment.rules.ts";

/** A question that the provider has to be asked. */
export interface ProviderRequest {
	ask: "charge" | "refund";
	orderId: string;
	amountCents: number;
	/** How often it has been asked before. */
	asked: number;
}

/** Every function rejects with `UNAVAILABLE` while Postgres is away. */
export interface PaymentStore {
	/** Brings what has happened to the payments, and tells the world of it. Answers how many of the events changed nothing. */
	applyEvents(events: PaymentEvent[]): Promise<number>;
	/** Takes the questions that are due, the oldest first; until `leaseMs` have passed nobody else gets them. */
	claimDue(limit: number, leaseMs: number): Promise<ProviderRequest[]>;
	/** The question is due again after so long. */
	postpone(orderId: string, ms: number): Promise<void>;
	find(orderId: string): Promise<StoredPayment | undefined>;
}

interface Row {
	order_id: string;
	state: State;
	buyer_id: string | null;
	amount_cents: string | null;
	request_id: string | null;
	asked: number;
}

const paymentOf = ({ order_id, state, buyer_id, amount_cents, request_id }: Row): StoredPayment => ({
	orderId: order_id,
	state,
	buyerId: buyer_id ?? undefined,
	amountCents: amount_cents === null ? undefined : Number(amount_cents),
	requestID: request_id ?? undefined
});

/** A row to lock, for those that there are none of; nobody sees it as it is. Sorted, as all locks are, so that nobody waits in a ring. */
const INSERT_MISSING = `
	insert into payments (order_id, state) select id, 'unknown' from unnest(?::text[]) as id order by id
	on conflict (order_id) do nothing`;
const LOCK = "select * from payments where order_id = any(?::text[]) order by order_id for update";
/** Whoever holds one of them is at it already. */
const DUE = `
	select * from payments where state in ('pending', 'charging', 'stopping', 'refunding') and ask_at <= clock_timestamp()
	order by ask_at limit ? for update skip locked`;
/** A new question is due at once. */
const WRITE = `
	update payments set state = now.state, buyer_id = now.buyer_id, amount_cents = now.amount_cents,
		request_id = now.request_id, updated_at = clock_timestamp(),
		ask_at = case when now.is_new then clock_timestamp() else ask_at end, asked = case when now.is_new then 0 else asked end
	from unnest(?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::boolean[])
		as now (order_id, state, buyer_id, amount_cents, request_id, is_new)
	where payments.order_id = now.order_id`;
const LEASE =
	"update payments set asked = asked + 1, ask_at = clock_timestamp() + ? * interval '1 ms' where order_id = any(?::text[])";

export function sqlPayments(knex: Knex, outbox: Outbox): PaymentStore {
	const orAway = <T>(work: Promise<T>) => work.catch(unavailableAs("Postgres"));
	const rows = async <R>(on: Knex, sql: string, values: unknown[]): Promise<R[]> =>
		(await on.raw(sql, values as Knex.Value[])).rows;

	/** What the events make of the rows, which are locked. */
	const write = async (trx: Knex.Transaction, before: StoredPayment[], events: PaymentEvent[]) => {
		const { changed, told, duplicates } = applyEvents(before, events);
		const askedBefore = new Map(before.map(({ orderId, state }) => [orderId, PROVIDER_REQUESTS[state]]));
		if (changed.length > 0)
			await rows(trx, WRITE, [
				changed.map(({ orderId }) => orderId),
				changed.map(({ state }) => state),
				changed.map(({ buyerId }) => buyerId ?? null),
				changed.map(({ amountCents }) => amountCents ?? null),
				changed.map(({ requestID }) => requestID ?? null),
				changed.map(
					({ orderId, state }) => PROVIDER_REQUESTS[state] !== undefined && PROVIDER_REQUESTS[state] !== askedBefore.get(orderId)
				)
			]);
		await outbox.add(trx, told);
		return { changed, duplicates };
	};

	return {
		applyEvents: events =>
			orAway(
				knex.transaction(async trx => {
					const beginnings = events.filter(({ happening }) => happening === "ordered" || happening === "cancelled");
					if (beginnings.length > 0) await rows(trx, INSERT_MISSING, [beginnings.map(({ orderId }) => orderId)]);
					const locked = await rows<Row>(trx, LOCK, [events.map(({ orderId }) => orderId)]);
					return (await write(trx, locked.map(paymentOf), events)).duplicates;
				})
			),

		claimDue: (limit, leaseMs) =>
			orAway(
				knex.transaction(async trx => {
					const due = await rows<Row>(trx, DUE, [limit]);
					if (due.length === 0) return [];
					await write(
						trx,
						due.map(paymentOf),
						due.map(({ order_id }) => ({ orderId: order_id, happening: "asked" }))
					);
					await rows(trx, LEASE, [leaseMs, due.map(({ order_id }) => order_id)]);
					return due.map(({ order_id, amount_cents, state, asked }) => ({
						ask: PROVIDER_REQUESTS[state]!,
						orderId: order_id,
						amountCents: Number(amount_cents),
						asked
					}));
				})
			),

		async postpone(orderId, ms) {
			const postponed = "update payments set ask_at = clock_timestamp() + ? * interval '1 ms' where order_id = ?";
			await orAway(rows(knex, postponed, [ms, orderId]));
		},

		async find(orderId) {
			const [row] = await orAway(rows<Row>(knex, "select * from payments where order_id = ?", [orderId]));
			return row && paymentOf(row);
		}
	};
}
