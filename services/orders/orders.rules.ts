// Decisions about orders, without I/O or a clock.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { idFrom } from "../../contract/id.ts";
import { fromCents, toCents } from "../../contract/money.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { Line } from "../inventory/inventory.contract.ts";
import type { Order, Status } from "./orders.contract.ts";
import type { OrderTopic } from "./orders.machine.ts";

/** A product as the catalogue describes it. */
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

/** What a buyer orders, as the request says it. */
export interface OrderRequest {
	items: Line[];
	shippingAddress: Record<string, string>;
}

/** An order that is not stored yet. */
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
	/** The number of messages published for this order: they are numbered from 1 on, without gaps. */
	seq: number;
	createdAt: Date;
	updatedAt: Date;
}

/** What a request to store an order has stored or found. */
export interface CreatedOrder extends StoredOrder {
	/** Whether this request has stored it. */
	isNew?: boolean;
}

/** The id of a buyer's order: random without an idempotency key, else derived from it. `attempt`: how many earlier ids of this key are void. */
export const orderIdOf = (buyerId: string, key: string | undefined, attempt: number): string =>
	key === undefined ? randomUUID() : idFrom(buyerId, key, attempt);

/** The lines to reserve; inventory adds up several lines of one product. */
export const toLines = (items: Line[]): Line[] => items.map(({ productId, quantity }) => ({ productId, quantity }));

/** The requested lines with the catalogue's names and prices; or the id of the first product that the catalogue does not have. */
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

/** Whether a request has the lines and the address of an order: then it is a retry. A changed price does not matter. */
export const isRetryOf = (order: OrderRequest, request: OrderRequest) =>
	isDeepStrictEqual(comparable(order), comparable(request));

const toResponseItems = (items: Item[]) => items.map(({ priceCents, ...item }) => ({ ...item, price: fromCents(priceCents) }));

export const toResponse = ({ orderId, buyerId, items, totalCents, status, shippingAddress, createdAt }: StoredOrder): Order => ({
	orderId,
	buyerId,
	items: toResponseItems(items),
	total: fromCents(totalCents),
	status,
	shippingAddress,
	createdAt: createdAt.toISOString()
});

/** The state of an order before its newest change. */
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
 * The messages of an order's newest change; the last of them has the order's own `seq`. Headers: `seq`, and in the first message `after_ms`, the time
 * since the previous change, if it is above 0.
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
