// Orders in Postgres. Every change commits together with its messages.
import type { Knex } from "knex";
import { invalid } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Status } from "./orders.contract.ts";
import { type Transition, transitionsTo } from "./orders.machine.ts";
import { type CreatedOrder, type NewOrder, type PreviousState, type StoredOrder, toMessages } from "./orders.rules.ts";
import { createOrders } from "./orders.store.create.ts";
import { findOrders, query, type Row, toOrder, withRefusals } from "./orders.store.rows.ts";
import { loadStatistics, type OrderStatistics } from "./orders.store.statistics.ts";

/** What is stored under an id: an order; `void`, if no order may be stored under it any more; or nothing. */
export type FoundOrder = StoredOrder | "void" | undefined;

export interface OrderPage {
	/** Only this buyer's orders. Without it, all. */
	buyerId?: string;
	limit: number;
	/** The page starts after the order with this id. */
	after?: string;
}

/** Every function rejects with `UNAVAILABLE` while Postgres is unavailable. */
export interface OrderStore {
	/**
	 * Stores orders together with their messages. Returns what is stored under each id afterwards, in order: the order (this one or an earlier one of
	 * the same id) or `void`. An `Error` refuses only the order in its place: `VALIDATION_ERROR` (it cannot be stored), `UNAVAILABLE`.
	 */
	create(orders: NewOrder[]): Promise<(CreatedOrder | "void" | Error)[]>;
	/** What is stored under each id, in order. */
	find(ids: string[]): Promise<FoundOrder[]>;
	/** The newest order first. Rejects with `VALIDATION_ERROR` if `after` is not one of these orders. */
	list(slice: OrderPage): Promise<StoredOrder[]>;
	/** Stores a transition together with its messages. Returns undefined if the order has changed since it was read. */
	applyTransition(step: Transition, order: StoredOrder, requestID?: string): Promise<StoredOrder | undefined>;
	/** Cancels the oldest orders that have been unpaid for this long, at most `limit`. Returns their ids. */
	cancelUnpaid(waitedMs: number, limit: number): Promise<string[]>;
	/** Marks orders as paid. Returns for how many this is new. */
	markPaid(ids: string[]): Promise<number>;
	/** `since`: by default the start of the day, UTC. */
	statistics(since?: Date): Promise<OrderStatistics>;
	/** Returns the ids that are orders and voids the others: a later `create` with a voided id stores nothing and answers `void`. */
	voidUnknown(ids: string[]): Promise<string[]>;
}

/** By the database's clock, and never earlier than the previous change. */
const NEXT_VERSION = `seq = orders.seq + ?, updated_at = greatest(orders.updated_at, date_trunc('milliseconds', clock_timestamp()))`;

const IS_UNPAID =
	"paid_at is null and status in ('pending', 'processing') and status = any(?::text[]) and created_at < now() - ? * interval '1 ms'";

/** Usually there is none, and a transaction would cost two statements more. */
const HAS_UNPAID = `select exists (select from orders where ${IS_UNPAID}) as found`;

/** Skips locked rows: they are changing right now, or another node is cancelling them. */
const CANCEL_UNPAID = `
	update orders set status = 'cancelled', ${NEXT_VERSION}
	from (
		select id, status, seq, updated_at from orders
		where ${IS_UNPAID}
		order by created_at limit ? for update skip locked
	) as before
	where orders.id = before.id
	returning orders.*, before.status as status_before, before.seq as seq_before, before.updated_at as updated_at_before`;

const VOID = `
	insert into orders (id, status, created_at, updated_at)
	select id, 'void', now(), now() from unnest(?::text[]) as id order by id
	on conflict (id) do nothing`;

const MARK_PAID = `
	update orders set paid_at = now()
	from (select id from orders where id = any(?::text[]) and paid_at is null and status <> 'void' order by id for update) as unpaid
	where orders.id = unpaid.id returning orders.id`;

const SELECT_STORED = "select id from orders where id = any(?::text[]) and status <> 'void'";

/** The outbox's contracts must have the topics of orders. */
export function sqlOrders(knex: Knex, outbox: Outbox): OrderStore {
	const list = async ({ buyerId, limit, after }: OrderPage): Promise<StoredOrder[]> => {
		const visible = () =>
			knex("orders")
				.whereNot("status", "void")
				.modify(orders => buyerId && orders.where({ buyer_id: buyerId }));
		const cursor = after === undefined ? undefined : await visible().where({ id: after }).first("number");
		if (after !== undefined && !cursor) throw invalid([{ field: "after", message: "is none of these orders" }]);
		const page: Row[] = await visible()
			.modify(orders => cursor && orders.where("number", "<", cursor.number))
			.orderBy("number", "desc")
			.limit(limit);
		return page.map(toOrder);
	};

	const applyTransition = ({ to, publishes }: Transition, before: StoredOrder, requestID?: string) =>
		knex.transaction(async trx => {
			const sql = `update orders set status = ?, ${NEXT_VERSION} where id = ? and seq = ? returning *`;
			const [row] = await query<Row>(trx, sql, [to, publishes.length, before.orderId, before.seq]);
			if (!row) return undefined;
			const order = toOrder(row);
			await outbox.add(trx, toMessages(publishes, order, before, requestID));
			return order;
		});

	const cancelUnpaid = async (waitedMs: number, limit: number) => {
		const transitions = transitionsTo("cancelled", "system");
		// The same messages from every status.
		const { publishes } = transitions[0]!;
		const from = transitions.map(transition => transition.from);
		const [some] = await query<{ found: boolean }>(knex, HAS_UNPAID, [from, waitedMs]);
		if (!some?.found) return [];
		return knex.transaction(async trx => {
			type Cancelled = Row & { status_before: Status; seq_before: string; updated_at_before: Date };
			const cancelled = await query<Cancelled>(trx, CANCEL_UNPAID, [publishes.length, from, waitedMs, limit]);
			const messages = cancelled.flatMap(row => {
				const before: PreviousState = {
					status: row.status_before,
					seq: Number(row.seq_before),
					updatedAt: row.updated_at_before
				};
				return toMessages(publishes, toOrder(row), before);
			});
			await outbox.add(trx, messages);
			return cancelled.map(({ id }) => id);
		});
	};

	return {
		create: createOrders(knex, outbox),

		async find(ids) {
			const found = await withRefusals(findOrders(knex, ids));
			return ids.map(id => found.get(id));
		},

		list: page => withRefusals(list(page)),
		applyTransition: (...change) => withRefusals(applyTransition(...change)),
		cancelUnpaid: (waitedMs, limit) => withRefusals(cancelUnpaid(waitedMs, limit)),
		markPaid: async ids => (await withRefusals(query(knex, MARK_PAID, [ids]))).length,
		statistics: since => withRefusals(loadStatistics(knex, since)),

		async voidUnknown(ids) {
			await withRefusals(query(knex, VOID, [ids]));
			const stored = await withRefusals(query<{ id: string }>(knex, SELECT_STORED, [ids]));
			return stored.map(({ id }) => id);
		}
	};
}
