// What the tests of orders and payments have in common: a market that behaves as products and inventory promise, in memory, and a way to hand a service
// what its topics would.
import { randomUUID } from "node:crypto";
import type { Context, Service, ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import type { Handled } from "../../mixins/topics/handler-types.ts";
import type { Caller, Message, Topics } from "../define-service.ts";
import type { Line, Refusal } from "../inventory/inventory.contract.ts";

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
	state: "reserved" | "sold" | "over";
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

/** The goods of a test, and services `products` and `inventory` to be made in its broker. */
export function fakeStock(goods: FakeProduct[] = []) {
	const shelf = new Map(goods.map(good => [good.productId, good]));
	const holds = new Map<string, FakeReservation>();
	const move = ({ lines }: FakeReservation, by: (good: FakeProduct, quantity: number) => void) => {
		for (const [id, quantity] of lines) by(shelf.get(id)!, quantity);
	};
	const end = (orderId: string) => {
		const hold = holds.get(orderId);
		if (hold?.state === "reserved")
			move(hold, (good, quantity) => {
				good.reserved -= quantity;
			});
		if (hold?.state === "sold")
			move(hold, (good, quantity) => {
				good.stock += quantity;
			});
		holds.set(orderId, { lines: hold?.lines ?? new Map(), state: "over" });
	};

	return {
		shelf,
		holds,
		/** Called before an answer of `products.pick`, and of `inventory.reserve` once it is done: for what may happen in between. */
		whenPicked: async () => {},
		whenReserved: async (_orderId: string) => {},

		add(good: FakeProduct) {
			shelf.set(good.productId, good);
			return good;
		},

		reserve(orderId: string, lines: Line[]): Refusal | null {
			const wanted = sumByProduct(lines);
			const hold = holds.get(orderId);
			if (hold) return hold.state !== "over" && sameLines(hold.lines, wanted) ? null : { type: "CONFLICT" };
			for (const [productId, requested] of wanted) {
				const { stock, reserved } = shelf.get(productId)!;
				const available = stock - reserved;
				if (available < requested) return { type: "OUT_OF_STOCK", productId, requested, available };
			}
			const made: FakeReservation = { lines: wanted, state: "reserved" };
			holds.set(orderId, made);
			move(made, (good, quantity) => {
				good.reserved += quantity;
			});
			return null;
		},

		/** As the consumer of `order.created`. */
		created(orderId: string) {
			const hold = holds.get(orderId);
			if (hold?.state !== "reserved") return;
			hold.state = "sold";
			move(hold, (good, quantity) => {
				good.reserved -= quantity;
				good.stock -= quantity;
			});
		},

		/** As the consumer of `order.cancelled`, and as `inventory.release`. */
		end,

		/** Gives back what is reserved for orders that will never be. */
		async reconcile(call: Caller["call"]) {
			const ids = [...holds].filter(([, { state }]) => state === "reserved").map(([id]) => id);
			const stored = new Set(await call("orders.settle", { ids }));
			for (const id of ids) if (!stored.has(id)) end(id);
		},

		createServices(broker: ServiceBroker) {
			const market = this;
			broker.createService({
				name: "products",
				actions: {
					async pick(ctx: Context<{ ids: string[] }>) {
						await market.whenPicked();
						return ctx.params.ids.flatMap(id => {
							const good = shelf.get(id);
							return good ? [{ productId: id, sku: good.sku, name: good.name, price: good.price }] : [];
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
								const refusal = market.reserve(orderId, lines);
								if (!refusal) await market.whenReserved(orderId);
								return refusal;
							})
						),
					async release(ctx: Context<{ orderId: string }>) {
						end(ctx.params.orderId);
						return null;
					}
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

/** Calls as somebody, or as nobody. */
export const callAs =
	(broker: ServiceBroker, caller?: Identity): Caller["call"] =>
	(name, params, options) =>
		broker.call(name, params, { ...options, meta: { caller } }) as never;

/** Hands messages to a service's handler of a topic, as its subscription does: together where it takes them together. */
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
