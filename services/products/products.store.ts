// Products in Postgres: every change commits together with its message.
import type { Knex } from "knex";
import { fromCents, toCents } from "../../contract/money.ts";
import type { Page } from "../../contract/page.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { applyChanges, type Details, type StoredProduct, toMessage } from "./products.rules.ts";

export interface ProductStore {
	/** Returns undefined if the sku is taken. `stock` is for the message only. */
	add(
		product: Omit<StoredProduct, "version" | "createdAt">,
		stock: number,
		requestID?: string
	): Promise<StoredProduct | undefined>;
	/** In the order of creation; unknown ids are left out. */
	find(ids: string[]): Promise<StoredProduct[]>;
	/** In the order of creation; undefined if `after` is not a product. */
	list(page: Page): Promise<StoredProduct[] | undefined>;
	/** Returns undefined if there is no such product. Changes that change nothing publish nothing. */
	update(id: string, changes: Partial<Details>, stock: number, requestID?: string): Promise<StoredProduct | undefined>;
}

interface Row {
	product_id: string;
	sku: string;
	name: string;
	description: string;
	price_cents: string;
	category: string;
	version: string;
	created_at: Date;
}

const toProduct = ({ product_id, sku, name, description, price_cents, category, version, created_at }: Row): StoredProduct => ({
	productId: product_id,
	name,
	description,
	price: fromCents(Number(price_cents)),
	category,
	sku,
	version: Number(version),
	createdAt: created_at.toISOString()
});

/** The outbox's contracts must have the topics `product.created` and `product.updated`. */
export function sqlProducts(knex: Knex, outbox: Outbox): ProductStore {
	return {
		add: ({ productId, price, ...texts }, stock, requestID) =>
			knex.transaction(async trx => {
				const row = { ...texts, product_id: productId, price_cents: toCents(price) };
				const [added]: Row[] = await trx("products").insert(row).onConflict("sku").ignore().returning("*");
				if (!added) return undefined;
				await outbox.add(trx, [toMessage(toProduct(added), stock, requestID)]);
				return toProduct(added);
			}),

		async find(ids) {
			const rows: Row[] = await knex("products").whereRaw("product_id = any(?::text[])", [ids]).orderBy("n");
			return rows.map(toProduct);
		},

		async list({ limit, after }) {
			const cursor = after === undefined ? { n: 0 } : await knex("products").where({ product_id: after }).first("n");
			if (!cursor) return undefined;
			const rows: Row[] = await knex("products").where("n", ">", cursor.n).orderBy("n").limit(limit);
			return rows.map(toProduct);
		},

		update: (id, changes, stock, requestID) =>
			knex.transaction(async trx => {
				const row: Row | undefined = await trx("products").where({ product_id: id }).forUpdate().first();
				const next = row && applyChanges(toProduct(row), changes);
				if (!row || !next) return row && toProduct(row);
				const { name, description, price, category, version } = next;
				await trx("products")
					.where({ product_id: id })
					.update({ name, description, category, version, price_cents: toCents(price) });
				await outbox.add(trx, [toMessage(next, stock, requestID)]);
				return next;
			})
	};
}
