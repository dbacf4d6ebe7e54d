import type { Logger, ServiceSchema } from "moleculer";
import { type Deadline, deadlineIn, deadlineOf, skipExpired } from "../../mixins/deadline.ts";
import { notFound, unauthorized, unavailable } from "../../mixins/errors.ts";
import { takeTurns } from "../../mixins/in-turn.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { type Caller, defineService, turnKeyOf } from "../define-service.ts";
import { type Access, accessOf } from "./orders.access.ts";
import { type CatalogueClient, catalogueClient } from "./orders.catalogue-client.ts";
import type { Status } from "./orders.contract.ts";
import { startExpiry } from "./orders.expiry.ts";
import { decideTransition, INITIAL } from "./orders.machine.ts";
import { inventoryReservations, type SweepOptions, startOrphanSweep } from "./orders.orphaned-reservations.ts";
import { type OrderRepository, placeOrder } from "./orders.place.ts";
import { type NewOrder, type StoredOrder, toResponse } from "./orders.rules.ts";
import { toStatisticsResponse } from "./orders.store.statistics.ts";
import type { FoundOrder, OrderStore } from "./orders.store.ts";

export interface OrdersOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Concurrent batches of each step. More than one helps only if the store has a connection for each. */
	batches?: number;
	/** The time within which a caller has an answer. Default 4.5 s, below a client's 5 s. */
	timeoutMs?: number;
	/** This node cancels orders that stay unpaid for this time. Without it, it cancels none. */
	unpaidMs?: number;
	/** This node releases reservations whose order was never stored. Without it, it does not. */
	orphanSweep?: SweepOptions;
}

const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };
/** The most order lines that one statement stores: an order has up to 100 lines, and a long statement delays those of other clients. */
const MAX_LINES = 2_000;

/** Places orders, changes their status, cancels unpaid ones and releases reservations without an order. */
export function orders(
	store: OrderStore,
	{ mixins = [], batches = 1, timeoutMs = 4_500, unpaidMs, orphanSweep }: OrdersOptions = {}
) {
	// Set when the service is created.
	let logger: Logger;

	/** One line for a batch: at thousands of orders a second, a line for each would cost more than its share of the batch. */
	const create = async (items: NewOrder[]) => {
		const stored = await store.create(items);
		const accepted = new Set(stored.flatMap(one => (one !== "void" && "isNew" in one ? one.orderId : [])));
		if (accepted.size > 0) logger.info(`accepted orders: ${[...accepted].join(" ")}`);
		return stored;
	};
	const createBatch = microBatch<{ item: NewOrder; turnKey: string; deadline: Deadline }, StoredOrder | "void">(
		skipExpired((items: NewOrder[]) => deadlineIn(timeoutMs).bound(create(items), "Postgres"), "Postgres"),
		{
			...BATCH,
			concurrency: batches,
			sizes: { sizeOf: ({ item }) => item.items.length, max: MAX_LINES },
			keyOf: ({ turnKey }) => turnKey
		}
	);
	const findBatch = microBatch<string, FoundOrder>(ids => deadlineIn(timeoutMs).bound(store.find(ids), "Postgres"), BATCH);
	// A list may hold 200 orders with 100 lines each.
	const listInTurn = takeTurns("Postgres");
	// Each cancellation is a transaction of its own, and a client may cancel thousands of orders at once.
	const cancelInTurn = takeTurns("Postgres");
	const find = (id: string, deadline: Deadline) => deadline.bound(findBatch(id), "Postgres");
	const repository: OrderRepository = {
		find,
		create: (order, turnKey, deadline) => deadline.bound(createBatch({ item: order, turnKey, deadline }), "Postgres"),
		voidUnlessStored: async (id, deadline) => !(await deadline.bound(store.voidUnknown([id]), "Postgres")).includes(id)
	};

	/** The order, if the caller may see it; else 404. */
	const findVisible = async (id: string, { buyerId }: Pick<Access, "buyerId">, deadline: Deadline): Promise<StoredOrder> => {
		const order = await find(id, deadline);
		if (!order || order === "void" || (buyerId !== undefined && order.buyerId !== buyerId))
			throw notFound("There is no such order");
		return order;
	};

	/** Changes the status, unless it is the same already. If the order changes concurrently, the transition is decided again on its new state. */
	const transitionTo = async (
		id: string,
		to: Status,
		access: Access,
		requestID: string | undefined,
		deadline = deadlineIn(timeoutMs)
	) => {
		while (!deadline.isOver()) {
			const order = await findVisible(id, access, deadline);
			const transition = decideTransition(order.status, to, access.actor);
			if (transition instanceof Error) throw transition;
			if (transition === "unchanged") return { order, isChanged: false };
			const changed = await deadline.bound(store.applyTransition(transition, order, requestID), "Postgres");
			if (!changed) continue;
			logger.info("changed an order", { order: id, from: transition.from, to, by: access.actor, requestID });
			return { order: changed, isChanged: true };
		}
		throw unavailable("Postgres");
	};

	let catalogue: CatalogueClient;
	const tasks: { stop(): Promise<void> }[] = [];

	return defineService({
		name: "orders",
		mixins,

		actions: {
			async create(ctx) {
				const { caller } = ctx.meta;
				if (!caller) throw unauthorized("Sign in, and send your token");
				const requestID = ctx.requestID ?? undefined;
				const request = { ...ctx.params, buyerId: caller.id, turnKey: turnKeyOf(ctx.meta), requestID };
				const order = await placeOrder(request, catalogue, repository, deadlineOf(ctx, timeoutMs));
				this.logger.debug("stored", { order: order.orderId, buyer: caller.id, requestID });
				// A retry gets the first answer, also if the order has changed since.
				return toResponse({ ...order, status: INITIAL.status });
			},

			async setStatus(ctx) {
				const { id, status } = ctx.params;
				const requestID = ctx.requestID ?? undefined;
				const { order } = await transitionTo(id, status, accessOf(ctx.meta), requestID, deadlineOf(ctx, timeoutMs));
				return toResponse(order);
			},

			async cancel(ctx) {
				const [access, deadline] = [accessOf(ctx.meta), deadlineOf(ctx, timeoutMs)];
				const cancel = () => transitionTo(ctx.params.id, "cancelled", access, ctx.requestID ?? undefined, deadline);
				return toResponse((await cancelInTurn(turnKeyOf(ctx.meta), deadline, cancel)).order);
			},

			async list(ctx) {
				const { buyerId = ctx.params.buyerId } = accessOf(ctx.meta);
				const page = await listInTurn(turnKeyOf(ctx.meta), deadlineIn(timeoutMs), () => store.list({ ...ctx.params, buyerId }));
				return page.map(toResponse);
			},

			async figures({ params: { since } }) {
				const statistics = store.statistics(since ? new Date(since) : undefined);
				return toStatisticsResponse(await deadlineIn(timeoutMs).bound(statistics, "Postgres"));
			},

			get: async ctx => toResponse(await findVisible(ctx.params.id, accessOf(ctx.meta), deadlineIn(timeoutMs))),

			async stored(ctx) {
				const { buyerId, total, status } = toResponse(await findVisible(ctx.params.orderId, {}, deadlineIn(timeoutMs)));
				return { buyerId, total, status };
			},

			async buyer(ctx) {
				const { buyerId } = await findVisible(ctx.params.orderId, {}, deadlineIn(timeoutMs));
				return { buyerId };
			}
		},

		topics: {
			async "payment.failed"({ message, requestID }) {
				// After the order was shipped this is refused: an operator must find the unpaid order in the dead letters.
				const { isChanged } = await transitionTo(message.orderId, "cancelled", { actor: "system" }, requestID);
				return { duplicates: isChanged ? 0 : 1 };
			},

			"payment.succeeded": {
				async batch({ received }) {
					const changed = await store.markPaid(received.map(({ message }) => message.orderId));
					return { duplicates: received.length - changed };
				}
			}
		},

		created() {
			logger = this.logger;
			const call = this.broker.call.bind(this.broker) as Caller["call"];
			catalogue = catalogueClient({ call }, { calls: batches, timeoutMs });
		},

		started() {
			const call = this.broker.call.bind(this.broker) as Caller["call"];
			if (unpaidMs !== undefined) tasks.push(startExpiry(store, unpaidMs, this.logger));
			if (orphanSweep) tasks.push(startOrphanSweep(inventoryReservations({ call }), store.voidUnknown, this.logger, orphanSweep));
		},

		async stopped() {
			await Promise.all(tasks.map(task => task.stop()));
		}
	});
}
