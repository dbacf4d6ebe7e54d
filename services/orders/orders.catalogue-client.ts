// Calls products and inventory for placing an order. Concurrent orders share a call, because a call to another node costs a message each way.
import { Errors } from "moleculer";
import { type Deadline, skipExpired } from "../../mixins/deadline.ts";
import { conflict, unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { Caller } from "../define-service.ts";
import type { Line, Refusal } from "../inventory/inventory.contract.ts";
import type { CatalogueProduct } from "./orders.rules.ts";

export interface Reservation {
	orderId: string;
	lines: Line[];
}

/** Every function rejects with `UNAVAILABLE` if there is no answer before the deadline. Of concurrent calls the clients (`turnKey`) take turns. */
export interface CatalogueClient {
	/** Leaves out products that do not exist. */
	findProducts(productIds: string[], turnKey: string, deadline: Deadline): Promise<CatalogueProduct[]>;
	/** Reserves all lines of an order or none. Rejects with 409 `OUT_OF_STOCK` (`data.productId`) and 409 `CONFLICT`. */
	reserve(order: Reservation, turnKey: string, deadline: Deadline): Promise<void>;
	/** Releases what is reserved for an order; from then on the order can reserve nothing. */
	release(orderId: string, deadline: Deadline): Promise<void>;
}

/** The most orders that `inventory.reserve` accepts; that many of the longest stay well below the largest message. */
const MAX_ORDERS = 128;
/** The most order lines in one call: checking thousands of lines in one turn of the event loop delays every other client. */
const MAX_LINES = 1_000;
/** The most products that `products.pick` accepts. */
const MAX_PRODUCTS = 100;
const MAX_WAITING = 20_000;

function toError({ type, ...data }: Refusal, orderId: string): Error {
	// Only an id that was derived from an idempotency key is used twice.
	if (type === "CONFLICT") return conflict("This idempotency key belongs to another order", { orderId });
	return new Errors.MoleculerClientError("There is not enough of this product", 409, type, data);
}

/** `calls`: concurrent calls of each kind. */
export function catalogueClient(caller: Caller, { calls, timeoutMs }: { calls: number; timeoutMs: number }): CatalogueClient {
	const batch = { maxItems: MAX_ORDERS, maxWaiting: MAX_WAITING, concurrency: calls };
	const within = { timeout: timeoutMs };

	// Not cached: an order costs what the catalogue says after it was requested.
	const findProducts = microBatch(
		async (requests: { productIds: string[]; turnKey: string }[]) => {
			const ids = [...new Set(requests.flatMap(({ productIds }) => productIds))];
			const pages: Promise<CatalogueProduct[]>[] = [];
			for (let n = 0; n < ids.length; n += MAX_PRODUCTS)
				pages.push(caller.call("products.pick", { ids: ids.slice(n, n + MAX_PRODUCTS) }, within));
			const found = (await Promise.all(pages).catch(unavailableAs("the catalogue"))).flat();
			const products = new Map(found.map(product => [product.productId, product]));
			return requests.map(({ productIds }) => productIds.flatMap(id => products.get(id) ?? []));
		},
		{
			...batch,
			sizes: { sizeOf: ({ productIds }) => productIds.length, max: MAX_LINES },
			keyOf: ({ turnKey }) => turnKey,
			name: "the catalogue"
		}
	);
	const reserve = microBatch<{ item: Reservation; turnKey: string; deadline: Deadline }, null>(
		skipExpired(async (orders: Reservation[]) => {
			const refusals = await caller.call("inventory.reserve", { orders }, within).catch(unavailableAs("the stock"));
			return refusals.map((refusal, n) => refusal && toError(refusal, orders[n]!.orderId));
		}, "the stock"),
		{
			...batch,
			sizes: { sizeOf: ({ item }) => item.lines.length, max: MAX_LINES },
			keyOf: ({ turnKey }) => turnKey,
			name: "the stock"
		}
	);

	return {
		findProducts: (productIds, turnKey, deadline) => deadline.bound(findProducts({ productIds, turnKey }), "the catalogue"),
		async reserve(order, turnKey, deadline) {
			await deadline.bound(reserve({ item: order, turnKey, deadline }), "the stock");
		},
		async release(orderId, deadline) {
			await caller.call("inventory.release", { orderIds: [orderId] }, { timeout: deadline.leftMs() });
		}
	};
}
