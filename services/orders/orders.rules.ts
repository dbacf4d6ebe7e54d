// What is decided about orders, without a store or a clock.
import { hash, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { fromCents, toCents } from "../../contract/money.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { Line } from "../inventory/inventory.contract.ts";
import type { Order, Statistics, Status } from "./orders.contract.ts";
import type { OrderTopic } from "./orders.machine.ts";
import type { OrderStatistics } from "./orders.statistics.ts";

/** What the catalogue says of a product. */
export interface CatalogueProduct {
	productId: string;
	sku: string;
	name: string;
	price: number;
}

export interface Item extends Line {
	sku: string;
	name: string;
	priceCents: number;
}

/** What a buyer wants, in their own words. */
export interface OrderRequest {
	items: Line[];
	shippingAddress: Record<string, string>;
}

/** An order on its way to be stored. */
export interface NewOrder {
	orderId: string;
	buyerId: string;
	items: Item[];
	totalCents: number;
	shippingAddress: Record<string, string>;
	requestID?: string;
}

export interface StoredOrder extends Omit<NewOrder, "requestID"> {
	status: Status;
	/** How many messages have told of it: each has a number of its own, without gaps. */
	seq: number;
	createdAt: Date;
	updatedAt: Date;
}

/**
 * The id of a buyer's order. Without an idempotency key it is random; with one it follows from the key, so that all retries, however many at once,
 * are one order before anything is stored. `attempt`: how many before came to nothing. A UUID of version 8 (RFC 9562, 5.8) from SHA-256.
 */
export function orderIdOf(buyerId: string, key: string | undefined, attempt: number): string {
	if (key === undefined) return randomUUID();
	const hex = hash("sha256", JSON.stringify([buyerId, key, attempt]));
	const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What is wanted, line by line: how many of one product that makes is added up where the stock is. */
export const toLines = (items: Line[]): Line[] => items.map(({ productId, quantity }) => ({ productId, quantity }));

/** The lines as they were asked for, with what the catalogue says of each; or the id of a product that it does not know. */
export function priceItems(
	items: Line[],
	catalogue: CatalogueProduct[]
): { items: Item[]; totalCents: number } | { unknown: string } {
	const products = new Map(catalogue.map(product => [product.productId, product]));
	const unknown = items.find(({ productId }) => !products.has(productId));
	if (unknown) return { unknown: unknown.productId };
	const known = items.map(({ productId, quantity }) => {
		const { sku, name, price } = products.get(productId)!;
		return { productId, quantity, sku, name, priceCents: toCents(price) };
	});
	return { items: known, totalCents: known.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0) };
}

const comparable = ({ items, shippingAddress }: OrderRequest): OrderRequest => ({
	items: toLines(items),
	shippingAddress
});

/** Whether a request asks for what an order is: then it is a retry. What it costs by now does not matter. */
export const isRetryOf = (order: OrderRequest, request: OrderRequest) =>
	isDeepStrictEqual(comparable(order), comparable(request));

const toResponseItems = (items: Item[]) => items.map(({ priceCents, ...item }) => ({ ...item, price: fromCents(priceCents) }));

/** An order as its buyer sees it. */
export const toResponse = ({ orderId, buyerId, items, totalCents, status, shippingAddress, createdAt }: StoredOrder): Order => ({
	orderId,
	buyerId,
	items: toResponseItems(items),
	total: fromCents(totalCents),
	status,
	shippingAddress,
	createdAt: createdAt.toISOString()
});

const NONE = { pending: 0, processing: 0, shipped: 0, delivered: 0, cancelled: 0 } satisfies Record<Status, number>;

/** The figures as admins see them. */
export const toStatisticsResponse = ({ statuses, since, orders, totalCents, minutes }: OrderStatistics): Statistics => ({
	statuses: { ...NONE, ...statuses },
	since: since.toISOString(),
	orders,
	revenue: fromCents(totalCents),
	minutes: minutes.map(({ at, orders }) => ({ at: at.toISOString(), orders }))
});

/** What an order was before a change of it. */
export type PreviousState = Pick<StoredOrder, "status" | "seq" | "updatedAt">;
type MessageBuilders = { [T in OrderTopic]: (order: StoredOrder, at: string, before: PreviousState | undefined) => Message<T> };

const MESSAGES: MessageBuilders = {
	"order.created": ({ orderId, buyerId, items, totalCents, status }, createdAt) => ({
		orderId,
		buyerId,
		items: toResponseItems(items),
		total: fromCents(totalCents),
		status,
		createdAt
	}),
	"order.updated": ({ orderId, status, buyerId }, updatedAt, before) => ({
		orderId,
		status,
		previousStatus: before!.status,
		updatedAt,
		buyerId
	}),
	"order.cancelled": ({ orderId, buyerId }, cancelledAt) => ({ orderId, buyerId, cancelledAt }),
	"order.shipped": ({ orderId, buyerId }, shippedAt) => ({ orderId, buyerId, shippedAt }),
	"order.delivered": ({ orderId, buyerId }, deliveredAt) => ({ orderId, buyerId, deliveredAt })
};

/**
 * The messages that tell of an order's newest change, the last of them with the order's own number. Headers: `seq`, and `after_ms`, how long after the
 * message before it was made, where that is any time.
 */
export function toMessages(
	publishes: readonly OrderTopic[],
	order: StoredOrder,
	before?: PreviousState,
	requestID?: string
): Entry[] {
	const at = order.updatedAt.toISOString();
	const sinceMs = before ? Math.max(0, order.updatedAt.getTime() - before.updatedAt.getTime()) : 0;
	return publishes.map((topic, n) => ({
		topic,
		message: MESSAGES[topic](order, at, before),
		headers: {
			seq: String(order.seq - publishes.length + 1 + n),
			...(n === 0 && sinceMs > 0 ? { after_ms: String(sinceMs) } : {})
		},
		requestID
	}));
}
