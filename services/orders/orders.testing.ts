// What the tests of orders and payments share: products and inventory in memory, as their contracts promise, and delivery of messages to a handler.
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import type { Context, Service, ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import type { Handled } from "../../mixins/topics/handler-types.ts";
import type { Caller, Message, Topics } from "../define-service.ts";
import type { Line, Refusal } from "../inventory/inventory.contract.ts";
import type { Reservations } from "./orders.orphaned-reservations.ts";
import type { OrderStore } from "./orders.store.ts";

export interface FakeProduct {
	productId: string;
	sku: string;
	name: string;
	price: number;
	stock: number;
	reserved: number;
}

interface FakeReservation {
	lines: Map<string, number>;
	state: "reserved" | "sold" | "released";
}

export const newProduct = (price = 12.5, stock = 1_000_000): FakeProduct => {
	const productId = randomUUID();
	return { productId, sku: `SKU-${productId.slice(0, 8)}`, name: "Olive oil", price, stock, reserved: 0 };
};

const sumByProduct = (lines: Line[]) => {
	const sums = new Map<string, number>();
	for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity);
	return sums;
};
const sameLines = (one: Map<string, number>, other: Map<string, number>) =>
	one.size === other.size && [...one].every(([id, quantity]) => other.get(id) === quantity);

/** Products and their reservations, and the services `products` and `inventory` that answer from them. */
export function fakeStock(initial: FakeProduct[] = []) {
	const products = new Map(initial.map(product => [product.productId, product]));
	const reservations = new Map<string, FakeReservation>();
	const move = ({ lines }: FakeReservation, by: (product: FakeProduct, quantity: number) => void) => {
		for (const [id, quantity] of lines) {
			const product = products.get(id);
			// A test may have deleted it.
			if (product) by(product, quantity);
		}
	};

	/** Returns whether this changed something, as the consumer of `order.created` and `inventory.confirm` do. */
	const confirm = (orderId: string): boolean => {
		const reservation = reservations.get(orderId);
		if (reservation?.state !== "reserved") return false;
		reservation.state = "sold";
		move(reservation, (product, quantity) => {
			product.reserved -= quantity;
			product.stock -= quantity;
		});
		return true;
	};

	/** Returns whether this changed something, as the consumer of `order.cancelled` and `inventory.release` do. */
	const release = (orderId: string): boolean => {
		const reservation = reservations.get(orderId);
		if (reservation?.state === "reserved")
			move(reservation, (product, quantity) => {
				product.reserved -= quantity;
			});
		if (reservation?.state === "sold")
			move(reservation, (product, quantity) => {
				product.stock += quantity;
			});
		reservations.set(orderId, { lines: reservation?.lines ?? new Map(), state: "released" });
		return reservation !== undefined && reservation.state !== "released";
	};

	/** What the sweep calls; every reservation is old enough for it. */
	const sweepable: Reservations = {
		listPending: async (_olderThanMs, limit) =>
			[...reservations].flatMap(([id, { state }]) => (state === "reserved" ? [id] : [])).slice(0, limit),
		confirm: async orderIds => orderIds.filter(confirm),
		release: async orderIds => orderIds.filter(release)
	};

	return {
		products,
		reservations,
		confirm,
		release,
		sweepable,
		/** Called before `products.pick` answers, and after `inventory.reserve` has reserved: a test can delay the answer or act in between. */
		whenPicked: async () => {},
		whenReserved: async (_orderId: string) => {},

		add(product: FakeProduct) {
			products.set(product.productId, product);
			return product;
		},

		reserve(orderId: string, lines: Line[]): Refusal | null {
			const wanted = sumByProduct(lines);
			const reservation = reservations.get(orderId);
			if (reservation)
				return reservation.state !== "released" && sameLines(reservation.lines, wanted) ? null : { type: "CONFLICT" };
			for (const [productId, requested] of wanted) {
				const { stock, reserved } = products.get(productId)!;
				const available = stock - reserved;
				if (available < requested) return { type: "OUT_OF_STOCK", productId, requested, available };
			}
			const made: FakeReservation = { lines: wanted, state: "reserved" };
			reservations.set(orderId, made);
			move(made, (product, quantity) => {
				product.reserved += quantity;
			});
			return null;
		},

		createServices(broker: ServiceBroker) {
			const stock = this;
			broker.createService({
				name: "products",
				actions: {
					async pick(ctx: Context<{ ids: string[] }>) {
						await stock.whenPicked();
						return ctx.params.ids.flatMap(id => {
							const product = products.get(id);
							return product ? [{ productId: id, sku: product.sku, name: product.name, price: product.price }] : [];
						});
					}
				}
			});
			broker.createService({
				name: "inventory",
				actions: {
					reserve: (ctx: Context<{ orders: { orderId: string; lines: Line[] }[] }>) =>
						Promise.all(
							ctx.params.orders.map(async ({ orderId, lines }) => {
								const refusal = stock.reserve(orderId, lines);
								if (!refusal) await stock.whenReserved(orderId);
								return refusal;
							})
						),
					listPending: (ctx: Context<{ olderThanMs: number; limit: number }>) =>
						sweepable.listPending(ctx.params.olderThanMs, ctx.params.limit),
					confirm: (ctx: Context<{ orderIds: string[] }>) => sweepable.confirm(ctx.params.orderIds),
					release: (ctx: Context<{ orderIds: string[] }>) => sweepable.release(ctx.params.orderIds)
				}
			});
		}
	};
}

export type FakeStock = ReturnType<typeof fakeStock>;

export const newIdentity = (role: Identity["role"] = "user"): Identity => ({
	id: `acct_${randomUUID().replaceAll("-", "")}`,
	role,
	session: randomUUID(),
	expiresAtMs: Date.now() + 900_000
});

/** Calls as this caller; without one, unauthenticated. */
export const callAs =
	(broker: ServiceBroker, caller?: Identity): Caller["call"] =>
	(name, params, options) =>
		broker.call(name, params, { ...options, meta: { caller } }) as never;

/** Calls a service's handler of a topic with messages, as its subscription does: in one batch if the handler takes batches. */
export async function deliver<T extends keyof Topics & string>(service: Service, topic: T, ...messages: Message<T>[]) {
	const received = messages.map((message, offset) => ({
		message,
		record: { topic, partition: 0, offset, key: null, value: null, headers: {}, timestampMs: 0 },
		requestID: `request-${offset}`,
		ctx: { call: (action: string, params: object) => service.broker.call(action, params) }
	}));
	type One = (received: object) => Promise<Handled | void>;
	type Whole = { batch: (batch: object) => Promise<Handled | void> };
	const handler = (service.schema as unknown as { topics: Record<T, One | Whole> }).topics[topic];
	if (typeof handler !== "function")
		return handler.batch.call(service, { received, topic, partition: 0, endOffset: received.length, first: false });
	let duplicates = 0;
	for (const one of received) duplicates += (await handler.call(service, one))?.duplicates ?? 0;
	return { duplicates };
}

interface Published {
	topic: string;
	message: Record<string, unknown>;
	seq: number;
	requestID: string | undefined;
}

/** One node of the service, the stock that it reserves from, and what the tests inspect. */
export interface OrdersNode {
	stock: FakeStock;
	/** What the node has logged. */
	lines: string[];
	/** The service's store; a test may replace its functions. */
	store: () => OrderStore;
	service: () => Service;
	db: () => Knex;
	as: (caller?: Identity) => Caller["call"];
	/** The messages of an order in the outbox, in order. */
	published: (orderId: string) => Promise<Published[]>;
	/** Places an order of a new buyer for one piece of a new product. */
	newOrder: () => Promise<{ orderId: string; buyer: Identity; call: Caller["call"]; productId: string }>;
}

export const ADDRESS = { street: "1 Main Street", city: "Athens" };
