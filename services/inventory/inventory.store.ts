// Stock in Postgres: every change of a product's stock commits together with its message.
import type { Knex } from "knex";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Changed, Deducted, GivenBack, Request, Reserved } from "../../mixins/reservation/reservation.rules.ts";
import { type OnMoved, type Reservations, reservations } from "../../mixins/reservation/reservation.store.ts";
import { toMessages } from "./inventory.rules.ts";

/** An order whose reservation changes, and the request that caused the change. */
export interface OrderRef {
	orderId: string;
	requestID?: string;
}

export interface InventoryStore extends Pick<Reservations, "levels" | "equation"> {
	/** Adds products with their first stock; existing products stay unchanged. */
	open(products: { productId: string; sku: string; stock: number }[]): Promise<void>;
	set(change: { id: string; productId: string; stock: number; requestID?: string }): Promise<Changed>;
	reserve(requests: Request[]): Promise<(Reserved | Error)[]>;
	confirm(orders: OrderRef[]): Promise<Deducted[]>;
	release(orders: OrderRef[]): Promise<GivenBack[]>;
	/** The orders whose reservation is older than this, and neither confirmed nor released: the oldest, at most `limit`. */
	listPending(olderThanMs: number, limit: number): Promise<string[]>;
}

/** The outbox's contracts must have the topic `inventory.updated`. */
export function sqlInventory(knex: Knex, outbox: Outbox): InventoryStore {
	const stock = reservations(knex, "stock");
	const publishMovements =
		(causes: OrderRef[]): OnMoved =>
		(trx, movements) =>
			outbox.add(trx, toMessages(movements, new Map(causes.map(({ orderId, requestID }) => [orderId, requestID]))));
	const idsOf = (orders: OrderRef[]) => orders.map(({ orderId }) => orderId);

	return {
		levels: stock.levels,
		equation: stock.equation,
		listPending: stock.waiting,
		reserve: requests => stock.reserve(requests),
		confirm: orders => stock.deduct(idsOf(orders), { onMoved: publishMovements(orders) }),
		release: orders => stock.giveBack(idsOf(orders), { onMoved: publishMovements(orders) }),

		async open(products) {
			await stock.open(products.map(({ productId, sku, stock }) => ({ item: productId, label: sku, stock })));
		},

		async set({ id, productId, stock: quantity, requestID }) {
			const [answer] = await stock.set([{ holder: id, item: productId, stock: quantity }], {
				onMoved: publishMovements([{ orderId: id, requestID }])
			});
			return answer!;
		}
	};
}
