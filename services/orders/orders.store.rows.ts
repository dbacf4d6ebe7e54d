// Rows of table `orders`, and what the statements of the orders' store share.
import type { Knex } from "knex";
import { toRefusal } from "../../mixins/database/database-errors.ts";
import type { Status } from "./orders.contract.ts";
import type { Item, StoredOrder } from "./orders.rules.ts";

export interface Row {
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

export const toOrder = ({ status, ...row }: Row): StoredOrder => ({
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

export const query = async <R>(on: Knex, sql: string, values: unknown[]): Promise<R[]> =>
	(await on.raw(sql, values as Knex.Value[])).rows;

export async function findOrders(on: Knex, ids: string[]): Promise<Map<string, StoredOrder | "void">> {
	const rows = await query<Row>(on, "select * from orders where id = any(?::text[])", [ids]);
	return new Map(rows.map(row => [row.id, row.status === "void" ? "void" : toOrder(row)]));
}

export const withRefusals = <T>(work: Promise<T>): Promise<T> => work.catch((error: Error) => Promise.reject(toRefusal(error)));
