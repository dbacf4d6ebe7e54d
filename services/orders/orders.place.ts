// Placing an order: what it costs, what it takes from the shelf, and only then the order itself. A crash in between leaves at most a reservation, which
// its owner finds and asks about (orders.settle).
import type { Deadline } from "../../mixins/deadline.ts";
import { conflict, isUnavailable, notFound, unavailable } from "../../mixins/errors.ts";
import type { CatalogueClient } from "./orders.catalogue-client.ts";
import { isRetryOf, type NewOrder, type OrderRequest, orderIdOf, priceItems, type StoredOrder, toLines } from "./orders.rules.ts";
import type { FoundOrder } from "./orders.store.ts";

/** What placing needs of the store; both may share round trips with others. */
export interface OrderRepository {
	find(id: string, deadline: Deadline): Promise<FoundOrder>;
	/** What stands under the order's id then. */
	create(order: NewOrder, deadline: Deadline): Promise<StoredOrder | "void">;
	/** True if it is an order; else none will be stored under this id any more. */
	settle(id: string, deadline: Deadline): Promise<boolean>;
}

export interface PlaceOrderRequest extends OrderRequest {
	buyerId: string;
	idempotencyKey?: string;
	requestID?: string;
}

/**
 * Places an order, or answers the one that the same key has placed. Errors: 404 `NOT_FOUND` and 409 `OUT_OF_STOCK` (`data.productId`), 409 `CONFLICT` (the key
 * stands for another order), 422, 503 `UNAVAILABLE`: then it may have been placed all the same, and with a key the same request will say so.
 */
export async function placeOrder(
	placing: PlaceOrderRequest,
	market: CatalogueClient,
	orders: OrderRepository,
	deadline: Deadline
): Promise<StoredOrder> {
	const { buyerId, idempotencyKey, items, shippingAddress, requestID } = placing;

	const retried = (order: StoredOrder) => {
		if (isRetryOf(order, placing)) return order;
		throw conflict("This idempotency key stands for another order", { orderId: order.orderId });
	};

	/** What it costs, and the lines reserved for it. */
	const prepare = async (orderId: string): Promise<NewOrder> => {
		const offers = await market.findProducts([...new Set(items.map(({ productId }) => productId))], deadline);
		const answer = priceItems(items, offers);
		if ("unknown" in answer) throw notFound("There is no such product", { productId: answer.unknown });
		await market.reserve(orderId, toLines(items), deadline);
		return { orderId, buyerId, shippingAddress, requestID, ...answer };
	};

	/** Nothing is to be stored under this id, and what is reserved for it goes back to the shelf. If this fails, the shelf's owner will ask. */
	const giveUp = async (orderId: string) => {
		if (!(await orders.settle(orderId, deadline))) await market.release(orderId, deadline);
	};

	const store = async (order: NewOrder): Promise<StoredOrder | "void"> => {
		const stored = await orders.create(order, deadline).catch(async error => {
			if (!isUnavailable(error)) await giveUp(order.orderId).catch(() => {});
			throw error;
		});
		if (stored === "void") await giveUp(order.orderId).catch(() => {});
		return stored;
	};

	for (let attempt = 0; !deadline.isOver(); attempt++) {
		const orderId = orderIdOf(buyerId, idempotencyKey, attempt);
		// A retry goes the same way as an order that is new, and finds its lines reserved and itself stored. Whether it is one is asked only where
		// something stands in its way: it has been cancelled since, a product or the stock is gone.
		const stands = await prepare(orderId).then(store, async error => {
			const found = idempotencyKey === undefined ? undefined : await orders.find(orderId, deadline);
			if (!found) throw error;
			return found;
		});
		if (stands !== "void") return retried(stands);
	}
	throw unavailable("the stock");
}
