import { randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { deadlineIn, skipExpired } from "../../mixins/deadline.ts";
import { conflict, notFound, unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { Deducted, GivenBack, Request } from "../../mixins/reservation/reservation.rules.ts";
import { type Caller, defineService } from "../define-service.ts";
import { adaptiveCache } from "./inventory.adaptive-cache.ts";
import { startSettling } from "./inventory.orphaned-reservations.ts";
import { toRefusal, toRequest, toResponse } from "./inventory.rules.ts";
import type { InventoryStore, OrderRef } from "./inventory.store.ts";

export interface InventoryOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Transactions of each kind under way at once; more than one pays only where the store has a connection for each. */
	batches?: number;
	/** How often this node looks for what was reserved by orders that were never stored, and how long ago; without it it does not. */
	orphans?: { everyMs?: number; olderMs?: number };
}

const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };
/** Each reserves for up to 128 orders. */
const MAX_CALLS = 10;
/** A caller is answered within 5 s, whatever has become of Postgres. */
const TIMEOUT_MS = 4_500;

const inTime = <T>(work: Promise<T>): Promise<T> =>
	deadlineIn(TIMEOUT_MS).bound(work, "Postgres").catch(unavailableAs("Postgres"));

/** Knows how much of everything there is, and promises nothing twice. What arrives together shares a transaction. */
export function inventory(store: InventoryStore, { mixins = [], batches = 1, orphans }: InventoryOptions = {}) {
	const together = { ...BATCH, concurrency: batches };
	// What is reserved for those who have had their answer already they would leave to nobody.
	const reserve = microBatch(
		skipExpired(async (calls: Request[][]) => {
			const answers = (await inTime(store.reserve(calls.flat()))).values();
			return calls.map(requests => requests.map(() => toRefusal(answers.next().value!)));
		}, "Postgres"),
		{ ...together, maxItems: MAX_CALLS }
	);
	// The partitions of a topic share them too: a batch of each would stand in line for the same shelves.
	const deduct = microBatch<OrderRef, Deducted>(orders => store.deduct(orders), together);
	const giveBack = microBatch<OrderRef, GivenBack>(orders => store.giveBack(orders), together);
	// Adding up reads the whole ledger.
	const equation = adaptiveCache(async () => {
		const { items: products, ...sums } = await store.equation();
		return { products, ...sums };
	});

	let settling: ReturnType<typeof startSettling> | undefined;

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
				if ("done" in answer) return toResponse(answer.level);
				if (answer.refused === "UNKNOWN") throw notFound("There is no such product", { productId });
				const { reserved } = answer.level;
				throw conflict(`${reserved} of these are reserved: there cannot be fewer`, { field: "stock", productId, reserved });
			},

			equation: () => inTime(equation()),

			async reserve(ctx) {
				const deadline = deadlineIn(TIMEOUT_MS);
				return deadline.bound(reserve({ item: ctx.params.orders.map(toRequest), deadline }), "Postgres");
			},

			async release(ctx) {
				await inTime(giveBack({ ...ctx.params, requestID: ctx.requestID ?? undefined }));
				return null;
			}
		},

		topics: {
			// For products from elsewhere, and for one whose maker died before it could call.
			"product.created": {
				batch: ({ received }) => store.open(received.map(({ message }) => message))
			},

			// Of what was reserved, not of what the message says: others can write to the topic too.
			"order.created": {
				async batch({ received }) {
					const answers = await Promise.all(
						received.map(({ message: { orderId }, requestID }) => deduct({ orderId, requestID }))
					);
					for (const [n, answer] of answers.entries())
						if (answer === "unknown")
							this.logger.warn("nothing was reserved for an order", { order: received[n]!.message.orderId });
					return { duplicates: answers.filter(answer => answer !== "deducted").length };
				}
			},

			"order.cancelled": {
				async batch({ received }) {
					const answers = await Promise.all(
						received.map(({ message: { orderId }, requestID }) => giveBack({ orderId, requestID }))
					);
					return { duplicates: answers.filter(answer => answer === "again").length };
				}
			}
		},

		started() {
			const call = this.broker.call.bind(this.broker) as Caller["call"];
			if (orphans) settling = startSettling(store, ids => call("orders.settle", { ids }), this.logger, orphans);
		},

		async stopped() {
			await settling?.stop();
		}
	});
}
