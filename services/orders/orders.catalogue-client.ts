// The catalogue and the stock, as placing an order needs them. Orders that come together share a call, which is a message each way where another node answers it.
import { Errors } from "moleculer";
import { type Deadline, skipExpired } from "../../mixins/deadline.ts";
import { conflict, unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { Caller } from "../define-service.ts";
import type { Line, Refusal } from "../inventory/inventory.contract.ts";
import type { CatalogueProduct } from "./orders.rules.ts";

/** Every function rejects with `UNAVAILABLE` when its answer does not come in time. */
export interface CatalogueClient {
	/** What the catalogue says of these products; those that it does not know are left out. */
	findProducts(productIds: string[], deadline: Deadline): Promise<CatalogueProduct[]>;
	/** Reserves all lines of an order or none. Rejects with 409 `OUT_OF_STOCK` (`data.productId`) and 409 `CONFLICT`. */
	reserve(orderId: string, lines: Line[], deadline: Deadline): Promise<void>;
	/** Gives back what is reserved for an order, and will be. */
	release(orderId: string, deadline: Deadline): Promise<void>;
}

/** The most that `inventory.reserve` takes; so many of the longest are well below the largest message. */
const MAX_ORDERS = 128;
/** The most that `products.pick` takes. */
const MAX_PRODUCTS = 100;
const MAX_WAITING = 20_000;

function errorOf({ type, ...data }: Refusal, orderId: string): Error {
	// Only an id that follows from a key comes twice.
	if (type === "CONFLICT") return conflict("This idempotency key stands for another order", { orderId });
	return new Errors.MoleculerClientError("There is not enough of this product", 409, type, data);
}

/** `calls`: under way at once, of each kind. */
export function catalogueClient(caller: Caller, { calls, timeoutMs }: { calls: number; timeoutMs: number }): CatalogueClient {
	const together = { maxItems: MAX_ORDERS, maxWaiting: MAX_WAITING, concurrency: calls };
	const within = { timeout: timeoutMs };

	// Nothing is remembered: each order costs what the catalogue says after it was asked for.
	const offers = microBatch(
		async (wanted: string[][]) => {
			const ids = [...new Set(wanted.flat())];
			const asked: Promise<CatalogueProduct[]>[] = [];
			for (let n = 0; n < ids.length; n += MAX_PRODUCTS)
				asked.push(caller.call("products.pick", { ids: ids.slice(n, n + MAX_PRODUCTS) }, within));
			const found = (await Promise.all(asked).catch(unavailableAs("the catalogue"))).flat();
			const known = new Map(found.map(offer => [offer.productId, offer]));
			return wanted.map(ids => ids.flatMap(id => known.get(id) ?? []));
		},
		{ ...together, name: "the catalogue" }
	);
	const reserve = microBatch(
		skipExpired(async (orders: { orderId: string; lines: Line[] }[]) => {
			const refusals = await caller.call("inventory.reserve", { orders }, within).catch(unavailableAs("the stock"));
			return refusals.map((refusal, n) => refusal && errorOf(refusal, orders[n]!.orderId));
		}, "the stock"),
		{ ...together, name: "the stock" }
	);

	return {
		findProducts: (productIds, deadline) => deadline.bound(offers(productIds), "the catalogue"),
		async reserve(orderId, lines, deadline) {
			await deadline.bound(reserve({ item: { orderId, lines }, deadline }), "the stock");
		},
		async release(orderId, deadline) {
			await caller.call("inventory.release", { orderId }, { timeout: deadline.leftMs() });
		}
	};
}
