// Payments in Postgres: one row an order, which every change locks first. A change commits together with its messages.
import type { Knex } from "knex";
import { unavailableAs } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { applyEvents, type PaymentEvent, PROVIDER_REQUESTS, type State, type StoredPayment } from "./payment.rules.ts";

/** A request that must be sent to the payment provider. */
export interface ProviderRequest {
	kind: "charge" | "refund";
	orderId: string;
	amountCents: number;
	/** How often it was sent before. */
	attempts: number;
}

/** Every function rejects with `UNAVAILABLE` while Postgres is unavailable. */
export interface PaymentStore {
	/** Applies events to the payments. Returns how many of them changed nothing. */
	applyEvents(events: PaymentEvent[]): Promise<number>;
	/** Claims the requests that are due, the oldest first. For `leaseMs` no other node gets them. */
	claimDue(limit: number, leaseMs: number): Promise<ProviderRequest[]>;
	/** The order's request is due again after this time. */
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

const toPayment = ({ order_id, state, buyer_id, amount_cents, request_id }: Row): StoredPayment => ({
	orderId: order_id,
	state,
	buyerId: buyer_id ?? undefined,
	amountCents: amount_cents === null ? undefined : Number(amount_cents),
	requestID: request_id ?? undefined
});

/** Makes a row to lock for each new order; state `unknown` is never committed. In the order of the ids, like all locks: transactions could deadlock otherwise. */
const INSERT_MISSING = `
	insert into payments (order_id, state) select id, 'unknown' from unnest(?::text[]) as id order by id
	on conflict (order_id) do nothing`;
const LOCK = "select * from payments where order_id = any(?::text[]) order by order_id for update";
/** Skips locked rows: another transaction is changing or claiming them. */
const SELECT_DUE = `
	select * from payments where state in ('pending', 'charging', 'stopping', 'refunding') and ask_at <= clock_timestamp()
	order by ask_at limit ? for update skip locked`;
/** A new request is due at once. */
const UPDATE = `
	update payments set state = now.state, buyer_id = now.buyer_id, amount_cents = now.amount_cents,
		request_id = now.request_id, updated_at = clock_timestamp(),
		ask_at = case when now.is_new then clock_timestamp() else ask_at end, asked = case when now.is_new then 0 else asked end
	from unnest(?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::boolean[])
		as now (order_id, state, buyer_id, amount_cents, request_id, is_new)
	where payments.order_id = now.order_id`;
const LEASE =
	"update payments set asked = asked + 1, ask_at = clock_timestamp() + ? * interval '1 ms' where order_id = any(?::text[])";
const POSTPONE = "update payments set ask_at = clock_timestamp() + ? * interval '1 ms' where order_id = ?";

const query = async <R>(on: Knex, sql: string, values: unknown[]): Promise<R[]> =>
	(await on.raw(sql, values as Knex.Value[])).rows;

const withUnavailable = <T>(work: Promise<T>) => work.catch(unavailableAs("Postgres"));

/** The outbox's contracts must have the topics of payments. */
export function sqlPayments(knex: Knex, outbox: Outbox): PaymentStore {
	/** Applies events to rows that are locked. Returns the number of duplicates. */
	const applyToLocked = async (trx: Knex.Transaction, before: StoredPayment[], events: PaymentEvent[]): Promise<number> => {
		const { changed, messages, duplicates } = applyEvents(before, events);
		const requestBefore = new Map(before.map(({ orderId, state }) => [orderId, PROVIDER_REQUESTS[state]]));
		const hasNewRequest = ({ orderId, state }: StoredPayment) =>
			PROVIDER_REQUESTS[state] !== undefined && PROVIDER_REQUESTS[state] !== requestBefore.get(orderId);
		if (changed.length > 0)
			await query(trx, UPDATE, [
				changed.map(({ orderId }) => orderId),
				changed.map(({ state }) => state),
				changed.map(({ buyerId }) => buyerId ?? null),
				changed.map(({ amountCents }) => amountCents ?? null),
				changed.map(({ requestID }) => requestID ?? null),
				changed.map(hasNewRequest)
			]);
		await outbox.add(trx, messages);
		return duplicates;
	};

	const apply = (events: PaymentEvent[]) =>
		knex.transaction(async trx => {
			const first = events.filter(({ type }) => type === "ordered" || type === "cancelled");
			if (first.length > 0) await query(trx, INSERT_MISSING, [first.map(({ orderId }) => orderId)]);
			const locked = await query<Row>(trx, LOCK, [events.map(({ orderId }) => orderId)]);
			return applyToLocked(trx, locked.map(toPayment), events);
		});

	const claimDue = (limit: number, leaseMs: number) =>
		knex.transaction(async (trx): Promise<ProviderRequest[]> => {
			const due = await query<Row>(trx, SELECT_DUE, [limit]);
			if (due.length === 0) return [];
			const events = due.map(({ order_id }): PaymentEvent => ({ orderId: order_id, type: "requested" }));
			await applyToLocked(trx, due.map(toPayment), events);
			await query(trx, LEASE, [leaseMs, due.map(({ order_id }) => order_id)]);
			return due.map(({ order_id, amount_cents, state, asked }) => ({
				kind: PROVIDER_REQUESTS[state]!,
				orderId: order_id,
				amountCents: Number(amount_cents),
				attempts: asked
			}));
		});

	return {
		applyEvents: events => withUnavailable(apply(events)),
		claimDue: (limit, leaseMs) => withUnavailable(claimDue(limit, leaseMs)),

		async postpone(orderId, ms) {
			await withUnavailable(query(knex, POSTPONE, [ms, orderId]));
		},

		async find(orderId) {
			const [row] = await withUnavailable(query<Row>(knex, "select * from payments where order_id = ?", [orderId]));
			return row && toPayment(row);
		}
	};
}
