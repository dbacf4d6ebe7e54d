// Orders in Postgres. What arrives together shares one statement, one transaction and one commit; every change is told in the transaction that makes it.
import type { Knex } from "knex";
import { invalid, isUnavailable, unavailable } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Status } from "./orders.contract.ts";
import { INITIAL, type Transition, transitionsTo } from "./orders.machine.ts";
import { type Item, type NewOrder, type PreviousState, type StoredOrder, toMessages } from "./orders.rules.ts";
import { loadStatistics, type OrderStatistics } from "./orders.statistics.ts";

/** What stands under an id: an order; `void`, where none is to be stored any more; or nothing yet. */
export type FoundOrder = StoredOrder | "void" | undefined;

export interface OrderPage {
	/** Whose; everybody's without. */
	buyerId?: string;
	limit: number;
	/** The id of the order after which it begins. */
	after?: string;
}

/** Every function rejects with `UNAVAILABLE` while Postgres is away. */
export interface OrderStore {
	/**
	 * Stores orders, and tells the world of them in the same transaction. Answers what stands under each id then, in order: the order, be it this one or
	 * an earlier one of the same id, or `void`; an `Error` in its place refuses that one alone: `VALIDATION_ERROR` (it cannot be stored), `UNAVAILABLE`.
	 */
	create(orders: NewOrder[]): Promise<(StoredOrder | "void" | Error)[]>;
	/** What stands under each id, in order. */
	find(ids: string[]): Promise<FoundOrder[]>;
	/** The newest first. Rejects with `VALIDATION_ERROR` where `after` is none of these orders. */
	list(slice: OrderPage): Promise<StoredOrder[]>;
	/** Takes a step, and tells the world of it; undefined if the order has changed since it was read. */
	applyTransition(step: Transition, order: StoredOrder, requestID?: string): Promise<StoredOrder | undefined>;
	/** Cancels the oldest of those that have waited for their payment for so long, at most so many. Answers their ids. */
	cancelUnpaid(waitedMs: number, limit: number): Promise<string[]>;
	/** Remembers that they are paid; answers how many were not known to be. */
	markPaid(ids: string[]): Promise<number>;
	/** What all of them add up to; `since`: by default the beginning of the day, UTC. */
	statistics(since?: Date): Promise<OrderStatistics>;
	/** Of these ids those of orders; under the others none will be stored any more. */
	voidUnknown(ids: string[]): Promise<string[]>;
}

interface Row {
	id: string;
	status: Status | "void";
	seq: string;
	buyer_id: string;
	items: Item[];
	total_cents: string;
	shipping_address: Record<string, string>;
	created_at: Date;
	updated_at: Date;
}

/** Sorted, or two batches that share ids could wait for each other in a ring. Of what is stored only the moment is news. */
const CREATE = `
	insert into orders (id, status, seq, buyer_id, items, total_cents, shipping_address, created_at, updated_at)
	select "orderId", ?, ?, "buyerId", items, "totalCents", "shippingAddress", now_ms, now_ms
	from json_to_recordset(?::json) as asked ("orderId" text, "buyerId" text, items json, "totalCents" bigint, "shippingAddress" json),
		date_trunc('milliseconds', now()) as now_ms
	order by "orderId"
	on conflict (id) do nothing
	returning id, created_at`;

/** By the database's clock, and never before the change before. */
const NEXT_VERSION = `seq = orders.seq + ?, updated_at = greatest(orders.updated_at, date_trunc('milliseconds', clock_timestamp()))`;

/** Whoever is being changed just now is not waiting; another node may be at the same work. */
const CANCEL_UNPAID = `
	update orders set status = 'cancelled', ${NEXT_VERSION}
	from (
		select id, status, seq, updated_at from orders
		where paid_at is null and status in ('pending', 'processing') and status = any(?::text[]) and created_at < now() - ? * interval '1 ms'
		order by created_at limit ? for update skip locked
	) as before
	where orders.id = before.id
	returning orders.*, before.status as status_before, before.seq as seq_before, before.updated_at as updated_at_before`;

const VOID = `
	insert into orders (id, status, created_at, updated_at)
	select id, 'void', now(), now() from unnest(?::text[]) as id order by id
	on conflict (id) do nothing`;

const orderOf = ({ status, ...row }: Row): StoredOrder => ({
	orderId: row.id,
	buyerId: row.buyer_id,
	items: row.items,
	totalCents: Number(row.total_cents),
	status: status as Status,
	shippingAddress: row.shipping_address,
	seq: Number(row.seq),
	createdAt: row.created_at,
	updatedAt: row.updated_at
});
const foundIn = (row: Row): StoredOrder | "void" => (row.status === "void" ? "void" : orderOf(row));

/** SQLSTATE class 22, data exception, and 23, integrity constraint violation: wrong for ever, and the fault of some row. */
const isDataError = (error: unknown) => /^2[23]/.test((error as { code?: string }).code ?? "");

const asRefusal = (error: Error): Error => {
	if (isUnavailable(error)) return unavailable("Postgres", error);
	// The database's own message holds the whole row.
	return isDataError(error) ? invalid([{ field: "", message: "holds something that cannot be stored" }]) : error;
};

export function sqlOrders(knex: Knex, outbox: Outbox): OrderStore {
	const rows = async <R>(sql: string, values: unknown[], on: Knex = knex): Promise<R[]> =>
		(await on.raw(sql, values as Knex.Value[])).rows;
	const orAway = <T>(work: Promise<T>) => work.catch((error: Error) => Promise.reject(asRefusal(error)));

	const findIn = async (on: Knex, ids: string[]) => {
		const found = await rows<Row>("select * from orders where id = any(?::text[])", [ids], on);
		return new Map(found.map(row => [row.id, foundIn(row)]));
	};

	const createTogether = (orders: NewOrder[]) =>
		knex.transaction(async trx => {
			// Of several with one id the first to arrive stands for all.
			const firsts = new Map(orders.toReversed().map(order => [order.orderId, order]));
			const stored = await rows<Pick<Row, "id" | "created_at">>(
				CREATE,
				[INITIAL.status, INITIAL.publishes.length, JSON.stringify([...firsts.values()])],
				trx
			);
			const found = new Map<string, FoundOrder>();
			const entries = stored.flatMap(({ id, created_at: at }) => {
				const { requestID, ...order } = firsts.get(id)!;
				const first = { ...order, status: INITIAL.status, seq: INITIAL.publishes.length, createdAt: at, updatedAt: at };
				found.set(id, first);
				return toMessages(INITIAL.publishes, first, undefined, requestID);
			});
			await outbox.add(trx, entries);
			// A statement of its own: who waited for another transaction's insert of the same id does not see that row in the one that waited.
			const others = [...firsts.keys()].filter(id => !found.has(id));
			if (others.length > 0) for (const [id, order] of await findIn(trx, others)) found.set(id, order);
			return orders.map(({ orderId }) => found.get(orderId) ?? new Error(`order ${orderId} was neither stored nor found`));
		});

	/** One order that Postgres cannot take would take the whole batch down: halved until it stands alone, it fails alone. */
	async function create(orders: NewOrder[]): Promise<(StoredOrder | "void" | Error)[]> {
		try {
			return await createTogether(orders);
		} catch (error) {
			if (orders.length === 1 || !isDataError(error)) return orders.map(() => asRefusal(error as Error));
			const middle = orders.length >> 1;
			return [...(await create(orders.slice(0, middle))), ...(await create(orders.slice(middle)))];
		}
	}

	return {
		create,

		async find(ids) {
			const found = await orAway(findIn(knex, ids));
			return ids.map(id => found.get(id));
		},

		async list({ buyerId, limit, after }) {
			const visible = () =>
				knex("orders")
					.whereNot("status", "void")
					.modify(query => buyerId && query.where({ buyer_id: buyerId }));
			const cursor = after === undefined ? undefined : await orAway(visible().where({ id: after }).first("number"));
			if (after !== undefined && !cursor) throw invalid([{ field: "after", message: "is none of these orders" }]);
			const page = visible()
				.modify(query => cursor && query.where("number", "<", cursor.number))
				.orderBy("number", "desc")
				.limit(limit);
			return ((await orAway(page)) as Row[]).map(orderOf);
		},

		applyTransition: (step, before, requestID) =>
			orAway(
				knex.transaction(async trx => {
					const [row] = await rows<Row>(
						`update orders set status = ?, ${NEXT_VERSION} where id = ? and seq = ? returning *`,
						[step.to, step.publishes.length, before.orderId, before.seq],
						trx
					);
					if (!row) return undefined;
					const order = orderOf(row);
					await outbox.add(trx, toMessages(step.publishes, order, before, requestID));
					return order;
				})
			),

		cancelUnpaid: (waitedMs, limit) =>
			orAway(
				knex.transaction(async trx => {
					const steps = transitionsTo("cancelled", "system");
					// From wherever they come, all tell the same.
					const { publishes } = steps[0]!;
					type Cancelled = Row & { status_before: Status; seq_before: string; updated_at_before: Date };
					const cancelled = await rows<Cancelled>(
						CANCEL_UNPAID,
						[publishes.length, steps.map(({ from }) => from), waitedMs, limit],
						trx
					);
					const entries = cancelled.flatMap(row => {
						const before: PreviousState = {
							status: row.status_before,
							seq: Number(row.seq_before),
							updatedAt: row.updated_at_before
						};
						return toMessages(publishes, orderOf(row), before);
					});
					await outbox.add(trx, entries);
					return cancelled.map(({ id }) => id);
				})
			),

		async markPaid(ids) {
			const changed = await orAway(
				rows(
					`update orders set paid_at = now()
					from (select id from orders where id = any(?::text[]) and paid_at is null and status <> 'void' order by id for update) as unpaid
					where orders.id = unpaid.id returning orders.id`,
					[ids]
				)
			);
			return changed.length;
		},

		statistics: since => orAway(loadStatistics(knex, since)),

		async voidUnknown(ids) {
			await orAway(rows(VOID, [ids]));
			const stored = await orAway(
				rows<{ id: string }>("select id from orders where id = any(?::text[]) and status <> 'void'", [ids])
			);
			return stored.map(({ id }) => id);
		}
	};
}
