// Decisions about products, without I/O.
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { Product } from "./products.contract.ts";

/** The fields of a product that can be changed. */
export interface Details {
	name: string;
	description: string;
	price: number;
	category: string;
}

/** A product as it is stored: without its stock, which inventory has. Its first version is 1, and every change adds 1. */
export interface StoredProduct extends Omit<Product, "stock"> {
	version: number;
}

/** The product after these changes; undefined if they change nothing. */
export function applyChanges(product: StoredProduct, changes: Partial<Details>): StoredProduct | undefined {
	const next = { ...product, ...changes, version: product.version + 1 };
	const fields = Object.keys(changes) as (keyof Details)[];
	return fields.some(field => next[field] !== product[field]) ? next : undefined;
}

/** The message of a product's newest version. */
export function toMessage({ version, ...product }: StoredProduct, stock: number, requestID?: string): Entry {
	const { productId, name, sku, price, category } = product;
	const message: Message<"product.created"> = { productId, name, sku, price, stock, category };
	return {
		topic: version === 1 ? "product.created" : "product.updated",
		message,
		headers: { version: String(version) },
		requestID
	};
}

export const toResponse = ({ version: _, ...product }: StoredProduct, stock: number): Product => ({ ...product, stock });
