// Stores a batch of new orders: one insert, one transaction, one commit.
import type { Knex } from "knex";
import { isDataError, toRefusal } from "../../mixins/database/database-errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { splitFailingBatch } from "../../mixins/split-failing-batch.ts";
import { INITIAL } from "./orders.machine.ts";
import { type CreatedOrder, type NewOrder, toMessages } from "./orders.rules.ts";
import { findOrders, query, type Row } from "./orders.store.rows.ts";

/** Inserts in the order of the ids: two batches that share ids could deadlock otherwise. */
const INSERT = `
	insert into orders (id, status, seq, buyer_id, items, total_cents, shipping_address, created_at, updated_at)
	select "orderId", ?, ?, "buyerId", items, "totalCents", "shippingAddress", now_ms, now_ms
	from json_to_recordset(?::json) as requested ("orderId" text, "buyerId" text, items json, "totalCents" bigint, "shippingAddress" json),
		date_trunc('milliseconds', now()) as now_ms
	order by "orderId"
	on conflict (id) do nothing
	returning id, created_at`;

type Stored = CreatedOrder | "void" | Error;

/** See `OrderStore.create`. */
export function createOrders(knex: Knex, outbox: Outbox) {
	const createBatch = (orders: NewOrder[]) =>
		knex.transaction(async trx => {
			// Of several orders with one id, the first one is stored.
			const distinct = new Map(orders.toReversed().map(order => [order.orderId, order]));
			const values = [INITIAL.status, INITIAL.publishes.length, JSON.stringify([...distinct.values()])];
			const inserted = await query<Pick<Row, "id" | "created_at">>(trx, INSERT, values);
			const found = new Map<string, CreatedOrder | "void">();
			const messages = inserted.flatMap(({ id, created_at: at }) => {
				const { requestID, ...order } = distinct.get(id)!;
				const seq = INITIAL.publishes.length;
				const stored = { ...order, status: INITIAL.status, seq, createdAt: at, updatedAt: at, isNew: true };
				found.set(id, stored);
				return toMessages(INITIAL.publishes, stored, undefined, requestID);
			});
			await outbox.add(trx, messages);
			// A second statement: an insert that waited for another transaction's row of the same id cannot see that row itself.
			const others = [...distinct.keys()].filter(id => !found.has(id));
			if (others.length > 0) for (const [id, order] of await findOrders(trx, others)) found.set(id, order);
			return orders.map(({ orderId }) => found.get(orderId) ?? new Error(`order ${orderId} was neither stored nor found`));
		});

	/** Splits a batch that Postgres refuses until the invalid order is alone, so that it fails alone. */
	return (orders: NewOrder[]): Promise<Stored[]> =>
		splitFailingBatch<NewOrder, Stored>(orders, createBatch, {
			isItemError: isDataError,
			onFailure: (failed, error) => failed.map(() => toRefusal(error as Error))
		});
}
