// Payments in Postgres: one row an order, which every change locks first. A change commits together with its messages.
import type { Knex } from "knex";
import { unavailableAs } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import {
	applyEvents,
	opensRequest,
	type PaymentEvent,
	PROVIDER_REQUESTS,
	SENDABLE,
	type StoredPayment
} from "./payment.rules.ts";
import { CLAIM, FIND, INSERT_MISSING, LOCK, POSTPONE, query, type Row, toPayment, WRITE } from "./payment.store.sql.ts";

/** A request that must be sent to the payment provider. */
export interface ProviderRequest {
	kind: "charge" | "refund";
	orderId: string;
	amountCents: number;
	/** How often it was sent before. */
	attempts: number;
	/** As it is stored while the request is sent, unless it changes meanwhile. */
	payment: StoredPayment;
}

export interface Applied {
	/** How many events changed nothing. */
	duplicates: number;
	/** Whether a request to the provider is due because of them. */
	opensRequests: boolean;
}

/** Every function rejects with `UNAVAILABLE` while Postgres is unavailable. */
export interface PaymentStore {
	/**
	 * Applies events to the payments. `assumed`: what the caller believes to be stored for all of these orders; one statement is enough for those for
	 * which this is true.
	 */
	applyEvents(events: PaymentEvent[], assumed?: StoredPayment[]): Promise<Applied>;
	/** Claims the requests that are due longest. For `leaseMs` no other node gets them. */
	claimDue(limit: number, leaseMs: number): Promise<ProviderRequest[]>;
	/** The order's request is due again after this time. */
	postpone(orderId: string, ms: number): Promise<void>;
	find(orderId: string): Promise<StoredPayment | undefined>;
}

const withUnavailable = <T>(work: Promise<T>) => work.catch(unavailableAs("Postgres"));

const NONE: Applied = { duplicates: 0, opensRequests: false };

/** The outbox's contracts must have the topics of payments. */
export function sqlPayments(knex: Knex, outbox: Outbox): PaymentStore {
	/** Decides on `before`, and writes each payment that is still so. Returns what that applied, and the events of the other orders. */
	const decideAndWrite = async (before: StoredPayment[], events: PaymentEvent[], trx?: Knex.Transaction) => {
		const stateBefore = new Map(before.map(({ orderId, state }) => [orderId, state]));
		const { changed, messages } = applyEvents(before, events);
		const opens = ({ orderId, state }: StoredPayment) => opensRequest(stateBefore.get(orderId), state);
		const columns = [
			changed.map(({ orderId }) => orderId),
			changed.map(({ orderId }) => stateBefore.get(orderId) ?? null),
			changed.map(({ state }) => state),
			changed.map(({ buyerId }) => buyerId ?? null),
			changed.map(({ amountCents }) => amountCents ?? null),
			changed.map(({ requestID }) => requestID ?? null),
			changed.map(opens)
		];
		const orders = messages.map(({ message }) => (message as Message<"payment.succeeded">).orderId);
		const write = (rows: string) => query<{ order_id: string }>(trx ?? knex, WRITE, [...columns, outbox.table, orders, rows]);
		const written = new Set(
			changed.length > 0 ? (await outbox.addInStatement(messages, write, trx)).map(({ order_id }) => order_id) : []
		);
		const applied = events.filter(({ orderId }) => written.has(orderId));
		return {
			duplicates: applyEvents(before, applied).duplicates,
			opensRequests: changed.some(payment => written.has(payment.orderId) && opens(payment)),
			others: events.filter(({ orderId }) => !written.has(orderId))
		};
	};

	/** Nothing can change the payments in between. The events that are left then change nothing. */
	const applyLocked = (events: PaymentEvent[]) =>
		knex.transaction(async (trx): Promise<Applied> => {
			const first = events.filter(({ type }) => type === "ordered" || type === "cancelled");
			if (first.length > 0) await query(trx, INSERT_MISSING, [first.map(({ orderId }) => orderId)]);
			const locked = await query<Row>(trx, LOCK, [events.map(({ orderId }) => orderId)]);
			const { duplicates, opensRequests, others } = await decideAndWrite(locked.map(toPayment), events, trx);
			return { duplicates: duplicates + others.length, opensRequests };
		});

	const apply = async (events: PaymentEvent[], assumed?: StoredPayment[]): Promise<Applied> => {
		if (!assumed) return applyLocked(events);
		const { others, ...first } = await decideAndWrite(assumed, events);
		const rest = others.length > 0 ? await applyLocked(others) : NONE;
		return {
			duplicates: first.duplicates + rest.duplicates,
			opensRequests: first.opensRequests || rest.opensRequests
		};
	};

	const claimDue = async (limit: number, leaseMs: number): Promise<ProviderRequest[]> => {
		const columns = [SENDABLE.map(({ before }) => before), SENDABLE.map(({ after }) => after)];
		const due = await query<Row>(knex, CLAIM, [limit, leaseMs, ...columns]);
		return due.map(row => ({
			kind: PROVIDER_REQUESTS[row.state]!,
			orderId: row.order_id,
			amountCents: Number(row.amount_cents),
			attempts: row.asked - 1,
			payment: toPayment(row)
		}));
	};

	return {
		applyEvents: (events, assumed) => withUnavailable(apply(events, assumed)),
		claimDue: (limit, leaseMs) => withUnavailable(claimDue(limit, leaseMs)),

		async postpone(orderId, ms) {
			await withUnavailable(query(knex, POSTPONE, [ms, orderId]));
		},

		async find(orderId) {
			const [row] = await withUnavailable(query<Row>(knex, FIND, [orderId]));
			return row && toPayment(row);
		}
	};
}
