// Placing an order: what it costs, what it takes from the shelf, and only then the order itself. A crash in between leaves at most a reservation, which
// its owner finds and asks about (orders.settle).
import type { Caller } from "../../define.ts";
import type { Deadline } from "../../mixins/deadline.ts";
import { awayAs, conflict, isAway, notFound, unavailable } from "../../mixins/errors.ts";
import { isRetryOf, linesOf, type NewOrder, orderIdOf, priced, type Request, type StoredOrder } from "./orders.rules.ts";
import type { Found } from "./orders.store.ts";

/** What placing needs of the store; both may share round trips with others. */
export interface OrderBook {
	find(id: string, deadline: Deadline): Promise<Found>;
	/** What stands under the order's id then. */
	create(order: NewOrder, deadline: Deadline): Promise<StoredOrder | "void">;
	/** True if it is an order; else none will be stored under this id any more. */
	settle(id: string, deadline: Deadline): Promise<boolean>;
}

export interface Placing extends Request {
	buyerId: string;
	idempotencyKey?: string;
	requestID?: string;
}

const typeOf = (error: unknown) => (error as { type?: string }).type;

/**
 * Places an order, or answers the one that the same key has placed. Errors: 404 `NOT_FOUND` and 409 `OUT_OF_STOCK` (`data.productId`), 409 `CONFLICT` (the key
 * stands for another order), 422, 503 `UNAVAILABLE`: then it may have been placed all the same, and with a key the same request will say so.
 */
export async function place(placing: Placing, ctx: Caller, orders: OrderBook, deadline: Deadline): Promise<StoredOrder> {
	const { buyerId, idempotencyKey, items, shippingAddress, requestID } = placing;
	const within = () => ({ timeout: deadline.leftMs() });

	const retried = (order: StoredOrder) => {
		if (isRetryOf(order, placing)) return order;
		throw conflict("This idempotency key stands for another order", { orderId: order.orderId });
	};

	const price = async () => {
		const ids = [...new Set(items.map(({ productId }) => productId))];
		const catalogue = await ctx.call("products.pick", { ids }, within()).catch(awayAs("the catalogue"));
		const answer = priced(items, catalogue);
		if ("unknown" in answer) throw notFound("There is no such product", { productId: answer.unknown });
		return answer;
	};

	/** Nothing is to be stored under this id, and what is reserved for it goes back to the shelf. If this fails, the shelf's owner will ask. */
	const giveUp = async (orderId: string) => {
		if (await orders.settle(orderId, deadline)) return;
		await ctx.call("inventory.release", { orderId }, within());
	};

	/** True if the lines are reserved; false if something stands under this id by now that says why they are not. */
	const reserve = async (orderId: string) => {
		try {
			await ctx.call("inventory.reserve", { orderId, lines: linesOf(items) }, within()).catch(awayAs("the stock"));
			return true;
		} catch (error) {
			if (typeOf(error) !== "CONFLICT") throw error;
			if (await orders.find(orderId, deadline)) return false;
			// Other lines are reserved under this key, by an order that is being placed.
			throw conflict("This idempotency key stands for another order", { orderId });
		}
	};

	let attempt = 0;
	while (!deadline.isOver()) {
		const orderId = orderIdOf(buyerId, idempotencyKey, attempt);
		const known = idempotencyKey === undefined ? undefined : await orders.find(orderId, deadline);
		if (known === "void") attempt++;
		else if (known) return retried(known);
		else {
			const order = { orderId, buyerId, shippingAddress, requestID, ...(await price()) };
			// What stands there is looked at again.
			if (!(await reserve(orderId))) continue;
			const stored = await orders.create(order, deadline).catch(async error => {
				if (!isAway(error)) await giveUp(orderId).catch(() => {});
				throw error;
			});
			if (stored !== "void") return retried(stored);
			await giveUp(orderId).catch(() => {});
		}
	}
	throw unavailable("the stock");
}
