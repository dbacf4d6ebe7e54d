// Stores a batch of new orders together with their messages: one statement, which is its own transaction.
import type { Knex } from "knex";
import { isDataError, toRefusal } from "../../mixins/database/database-errors.ts";
import { ENTRIES, type Outbox } from "../../mixins/outbox/outbox.ts";
import { splitFailingBatch } from "../../mixins/split-failing-batch.ts";
import { INITIAL } from "./orders.machine.ts";
import { type CreatedOrder, type NewOrder, toMessages } from "./orders.rules.ts";
import { findOrders, query } from "./orders.store.rows.ts";

/** Inserts in the order of the ids: two batches that share ids could deadlock otherwise. */
const CREATE = `
	with created as (
		insert into orders (id, status, seq, buyer_id, items, total_cents, shipping_address, created_at, updated_at)
		select "orderId", status, seq, "buyerId", items, "totalCents", "shippingAddress", "createdAt", "updatedAt"
		from json_to_recordset(?::json) as requested ("orderId" text, status text, seq bigint, "buyerId" text, items json, "totalCents" bigint,
			"shippingAddress" json, "createdAt" timestamptz, "updatedAt" timestamptz)
		order by "orderId"
		on conflict (id) do nothing
		returning id
	), published as (
		insert into ?? (topic, key, value, headers)
		select topic, entry.key, value, headers
		from created join unnest(?::text[]) with ordinality as message (id, n) using (id) join ${ENTRIES} using (n) order by n
	)
	select id from created`;

type Stored = CreatedOrder | "void" | Error;

const isRefused = (error: unknown) => (error as { type?: string }).type === "VALIDATION_ERROR";

const neitherStoredNorFound = (id: string) => new Error(`order ${id} was neither stored nor found`);

/** See `OrderStore.create`. */
export function createOrders(knex: Knex, outbox: Outbox) {
	const createBatch = async (orders: NewOrder[]): Promise<Stored[]> => {
		// The messages have it too, so it must be known before the statement: the time is this process's.
		const at = new Date();
		// Of several orders with one id, the first one is stored.
		const distinct = new Map(orders.toReversed().map(order => [order.orderId, order]));
		const { status, publishes } = INITIAL;
		const stored = [...distinct.values()].map(({ requestID: _, ...order }) => {
			return { ...order, status, seq: publishes.length, createdAt: at, updatedAt: at, isNew: true };
		});
		const messages = stored.flatMap(order => {
			const entries = toMessages(publishes, order, undefined, distinct.get(order.orderId)!.requestID);
			return entries.map(entry => ({ id: order.orderId, entry }));
		});
		const created = await outbox.addInStatement(
			messages.map(({ entry }) => entry),
			rows => query<{ id: string }>(knex, CREATE, [JSON.stringify(stored), outbox.table, messages.map(({ id }) => id), rows])
		);
		const isNew = new Set(created.map(({ id }) => id));
		const found = new Map<string, Stored>(
			stored.filter(({ orderId }) => isNew.has(orderId)).map(order => [order.orderId, order])
		);
		// A second statement: an insert that waited for another transaction's row of the same id cannot see that row itself.
		const others = [...distinct.keys()].filter(id => !isNew.has(id));
		const earlier =
			others.length > 0 ? await findOrders(knex, others).catch(toRefusal) : new Map<string, CreatedOrder | "void">();
		// The new orders are committed, so their buyers get an answer also if the earlier ones cannot be read.
		for (const id of others) found.set(id, earlier instanceof Error ? earlier : (earlier.get(id) ?? neitherStoredNorFound(id)));
		return orders.map(({ orderId }) => found.get(orderId)!);
	};

	/** Splits a batch that the topic's contract or Postgres refuses until the invalid order is alone, so that it fails alone. */
	return (orders: NewOrder[]): Promise<Stored[]> =>
		splitFailingBatch<NewOrder, Stored>(orders, createBatch, {
			isItemError: error => isDataError(error) || isRefused(error),
			onFailure: (failed, error) => failed.map(() => toRefusal(error as Error))
		});
}
