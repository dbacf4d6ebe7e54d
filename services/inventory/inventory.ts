import { randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { deadlineIn, skipExpired } from "../../mixins/deadline.ts";
import { conflict, notFound, unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { Deducted, GivenBack, Request } from "../../mixins/reservation/reservation.rules.ts";
import { defineService } from "../define-service.ts";
import { adaptiveCache } from "./inventory.adaptive-cache.ts";
import { toRefusals, toRequest, toResponse } from "./inventory.rules.ts";
import type { InventoryStore, OrderRef } from "./inventory.store.ts";

export interface InventoryOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Concurrent transactions of each kind. More than one helps only if the store has a connection for each. */
	batches?: number;
}

const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };
/** Each call reserves for up to 128 orders. */
const MAX_CALLS = 10;
/** The most order lines in one transaction: an order has up to 100 lines, and a long statement delays those of other clients. */
const MAX_LINES = 2_000;
const linesOf = (requests: Request[]) => requests.reduce((sum, { lines }) => sum + lines.length, 0);
/** Below the 5 s after which a client must have an answer. */
const TIMEOUT_MS = 4_500;

const inTime = <T>(work: Promise<T>): Promise<T> =>
	deadlineIn(TIMEOUT_MS).bound(work, "Postgres").catch(unavailableAs("Postgres"));

/** Keeps the stock of every product, and never reserves the same piece twice. Concurrent requests share a transaction. */
export function inventory(store: InventoryStore, { mixins = [], batches = 1 }: InventoryOptions = {}) {
	const options = { ...BATCH, concurrency: batches };
	// Expired calls are skipped: their callers have an answer already and would not release what is reserved now.
	const reserve = microBatch(
		skipExpired(async (calls: Request[][]) => {
			const answers = (await inTime(store.reserve(calls.flat()))).values();
			return calls.map(requests => toRefusals(requests.map(() => answers.next().value!)));
		}, "Postgres"),
		{ ...options, maxItems: MAX_CALLS, sizes: { sizeOf: ({ item }) => linesOf(item), max: MAX_LINES } }
	);
	// All partitions of a topic share these batches: separate batches would wait for the same row locks.
	const confirm = microBatch<OrderRef, Deducted>(orders => store.confirm(orders), options);
	const release = microBatch<OrderRef, GivenBack>(orders => store.release(orders), options);
	// Cached, because the sum reads the whole ledger.
	const equation = adaptiveCache(async () => {
		const { items: products, ...sums } = await store.equation();
		return { products, ...sums };
	});

	return defineService({
		name: "inventory",
		mixins,

		actions: {
			async get(ctx) {
				const [level] = await inTime(store.levels([ctx.params.productId]));
				if (!level) throw notFound("There is no such product", { productId: ctx.params.productId });
				return toResponse(level);
			},

			async levels(ctx) {
				const levels = await inTime(store.levels(ctx.params.ids));
				return ctx.params.ids.map((productId, n) => ({
					productId,
					stock: levels[n]?.stock ?? 0,
					reserved: levels[n]?.reserved ?? 0
				}));
			},

			async open(ctx) {
				await inTime(store.open([ctx.params]));
				return null;
			},

			async set(ctx) {
				const { productId } = ctx.params;
				const change = { ...ctx.params, id: randomUUID(), requestID: ctx.requestID ?? undefined };
				const answer = await inTime(store.set(change));
				if ("done" in answer) {
					const { stock } = answer.level;
					this.logger.info("set a stock", {
						product: productId,
						stock,
						by: ctx.meta.caller?.id ?? "operator",
						requestID: change.requestID
					});
					return toResponse(answer.level);
				}
				if (answer.refused === "UNKNOWN") throw notFound("There is no such product", { productId });
				const { reserved } = answer.level;
				throw conflict(`${reserved} are reserved: the stock cannot be less`, { field: "stock", productId, reserved });
			},

			equation: () => inTime(equation()),

			async reserve(ctx) {
				const deadline = deadlineIn(TIMEOUT_MS);
				const reserved = deadline.bound(reserve({ item: ctx.params.orders.map(toRequest), deadline }), "Postgres");
				return reserved.catch(unavailableAs("Postgres"));
			},

			listPending: ctx => inTime(store.listPending(ctx.params.olderThanMs, ctx.params.limit)),

			async confirm(ctx) {
				const requestID = ctx.requestID ?? undefined;
				const { orderIds } = ctx.params;
				const answers = await inTime(Promise.all(orderIds.map(orderId => confirm({ orderId, requestID }))));
				return orderIds.filter((_, n) => answers[n] === "deducted");
			},

			async release(ctx) {
				const requestID = ctx.requestID ?? undefined;
				const { orderIds } = ctx.params;
				const answers = await inTime(Promise.all(orderIds.map(orderId => release({ orderId, requestID }))));
				return orderIds.filter((_, n) => answers[n] === "given back");
			}
		},

		topics: {
			// For products of foreign producers, and for a product whose `inventory.open` call failed.
			"product.created": {
				batch: ({ received }) => store.open(received.map(({ message }) => message))
			},

			// Deducts what is reserved, not what the message says: foreign producers can write to the topic too.
			"order.created": {
				async batch({ received }) {
					const answers = await Promise.all(
						received.map(({ message: { orderId }, requestID }) => confirm({ orderId, requestID }))
					);
					// Every stored order has a reservation: a message about any other order becomes a dead letter.
					const foreign = received[answers.indexOf("unknown")];
					if (foreign) throw notFound("no stock is reserved for this order", { orderId: foreign.message.orderId });
					return { duplicates: answers.filter(answer => answer !== "deducted").length };
				}
			},

			"order.cancelled": {
				async batch({ received }) {
					const answers = await Promise.all(
						received.map(({ message: { orderId }, requestID }) => release({ orderId, requestID }))
					);
					const unknown = received.filter((_, n) => answers[n] === "noted").map(({ message }) => message.orderId);
					if (unknown.length > 0)
						this.logger.warn("cancelled orders have no reservation; later reservations under their ids are refused", {
							orders: unknown
						});
					return { duplicates: answers.filter(answer => answer === "again").length };
				}
			}
		}
	});
}
