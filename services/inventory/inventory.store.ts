// Stock in Postgres: every change of a shelf commits together with the message that tells of it.
import type { Knex } from "knex";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import type { Changed, Deducted, GivenBack, Request, Reserved } from "../../mixins/reservation/reservation.rules.ts";
import { type OnMoved, type Reservations, reservations } from "../../mixins/reservation/reservation.store.ts";
import { toMessages } from "./inventory.rules.ts";

/** An order whose reservation is to be taken further, and the request that set it off. */
export interface OrderRef {
	orderId: string;
	requestID?: string;
}

export interface InventoryStore extends Pick<Reservations, "levels" | "equation" | "waiting"> {
	/** Takes products in; those that are there already stay as they are. */
	open(products: { productId: string; sku: string; stock: number }[]): Promise<void>;
	set(change: { id: string; productId: string; stock: number; requestID?: string }): Promise<Changed>;
	reserve(requests: Request[]): Promise<Reserved[]>;
	deduct(orders: OrderRef[]): Promise<Deducted[]>;
	giveBack(orders: OrderRef[]): Promise<GivenBack[]>;
}

/** The outbox must know the topic `inventory.updated`. */
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
		waiting: stock.waiting,
		reserve: requests => stock.reserve(requests),
		deduct: orders => stock.deduct(idsOf(orders), publishMovements(orders)),
		giveBack: orders => stock.giveBack(idsOf(orders), publishMovements(orders)),

		async open(products) {
			await stock.open(products.map(({ productId, sku, stock }) => ({ item: productId, label: sku, stock })));
		},

		async set({ id, productId, stock: pieces, requestID }) {
			const [answer] = await stock.set(
				[{ holder: id, item: productId, stock: pieces }],
				publishMovements([{ orderId: id, requestID }])
			);
			return answer!;
		}
	};
}
