// Places an order: prices its lines, reserves their stock, and only then stores the order. A crash in between leaves a reservation without an order,
// which the sweep releases (orders.orphaned-reservations.ts).
import type { Deadline } from "../../mixins/deadline.ts";
import { conflict, isUnavailable, notFound, unavailable } from "../../mixins/errors.ts";
import type { CatalogueClient } from "./orders.catalogue-client.ts";
import { isRetryOf, type NewOrder, type OrderRequest, orderIdOf, priceItems, type StoredOrder, toLines } from "./orders.rules.ts";
import type { FoundOrder } from "./orders.store.ts";

/** The part of the store that placing needs, one order at a time: `find` and `create` share round trips with concurrent requests. */
export interface OrderRepository {
	find(id: string, deadline: Deadline): Promise<FoundOrder>;
	/** Returns what is stored under the order's id afterwards. */
	create(order: NewOrder, turnKey: string, deadline: Deadline): Promise<StoredOrder | "void">;
	/** Voids the id unless an order is stored under it. Returns whether the id is void. */
	voidUnlessStored(id: string, deadline: Deadline): Promise<boolean>;
}

export interface PlaceOrderRequest extends OrderRequest {
	buyerId: string;
	/** The client: while many orders are placed, the clients take turns. */
	turnKey: string;
	idempotencyKey?: string;
	requestID?: string;
}

/**
 * Places an order, or returns the one that the same idempotency key has placed. Errors: 404 `NOT_FOUND` and 409 `OUT_OF_STOCK` (`data.productId`),
 * 409 `CONFLICT` (the key belongs to another order), 422, 503 `UNAVAILABLE`: then the order may still have been placed, and a retry with the key finds it.
 */
export async function placeOrder(
	request: PlaceOrderRequest,
	catalogue: CatalogueClient,
	repository: OrderRepository,
	deadline: Deadline
): Promise<StoredOrder> {
	const { buyerId, turnKey, idempotencyKey, items, shippingAddress, requestID } = request;

	const checkRetry = (order: StoredOrder) => {
		if (isRetryOf(order, request)) return order;
		throw conflict("This idempotency key belongs to another order", { orderId: order.orderId });
	};

	const priceAndReserve = async (orderId: string): Promise<NewOrder> => {
		const products = await catalogue.findProducts([...new Set(items.map(({ productId }) => productId))], turnKey, deadline);
		const priced = priceItems(items, products);
		if ("unknown" in priced) throw notFound("There is no such product", { productId: priced.unknown });
		await catalogue.reserve({ orderId, lines: toLines(items) }, turnKey, deadline);
		return { orderId, buyerId, shippingAddress, requestID, ...priced };
	};

	/** Releases the reservation only after the id is void: no order can be stored without its stock. If this fails, the sweep does it. */
	const abandon = async (orderId: string) => {
		if (await repository.voidUnlessStored(orderId, deadline)) await catalogue.release(orderId, deadline);
	};

	const store = async (order: NewOrder): Promise<StoredOrder | "void"> => {
		const stored = await repository.create(order, turnKey, deadline).catch(async error => {
			// After `UNAVAILABLE` the order may be stored all the same.
			if (!isUnavailable(error)) await abandon(order.orderId).catch(() => {});
			throw error;
		});
		if (stored === "void") await abandon(order.orderId).catch(() => {});
		return stored;
	};

	for (let attempt = 0; !deadline.isOver(); attempt++) {
		const orderId = orderIdOf(buyerId, idempotencyKey, attempt);
		// A retry takes the same path as a new order: its lines are already reserved and it is already stored. Only if that path fails (the order was
		// cancelled in the meantime, a product or its stock is gone) is the stored order read.
		const found = await priceAndReserve(orderId).then(store, async error => {
			const earlier = idempotencyKey === undefined ? undefined : await repository.find(orderId, deadline);
			if (!earlier) throw error;
			return earlier;
		});
		if (found !== "void") return checkRetry(found);
	}
	throw unavailable("the stock");
}
