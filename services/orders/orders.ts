import type { ServiceSchema } from "moleculer";
import { type Deadline, deadlineIn, skipExpired } from "../../mixins/deadline.ts";
import { notFound, unauthorized, unavailable } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { type Caller, defineService, type Meta } from "../define-service.ts";
import { type CatalogueClient, catalogueClient } from "./orders.catalogue-client.ts";
import type { Status } from "./orders.contract.ts";
import { startExpiry } from "./orders.expiry.ts";
import { type Actor, decideTransition, INITIAL } from "./orders.machine.ts";
import { type OrderRepository, placeOrder } from "./orders.place.ts";
import { type NewOrder, type StoredOrder, toResponse, toStatisticsResponse } from "./orders.rules.ts";
import type { FoundOrder, OrderStore } from "./orders.store.ts";

export interface OrdersOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Batches of orders under way at once, at each step; more than one pays only where the store has a connection for each. */
	batches?: number;
	/** Who asks is answered within so long, whatever has become of those whom it takes. Default 4.5 s: a client waits 5. */
	timeoutMs?: number;
	/** An order that is unpaid for so long is cancelled by this node; without it by none. */
	unpaidMs?: number;
}

const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };

interface Access {
	asker: Actor;
	/** Whose orders they may see; everybody's without. */
	buyerId?: string;
}

/** As whom somebody asks: an admin, or a person at the prompt, sees everything; everybody else what is theirs. */
function actorOf({ caller, $repl }: Meta): Access {
	if (caller?.role === "admin" || (!caller && $repl)) return { asker: "admin" };
	if (!caller) throw unauthorized("Sign in, and send your token");
	return { asker: "buyer", buyerId: caller.id };
}

/** Takes orders, and takes them through their life. */
export function orders(store: OrderStore, { mixins = [], batches = 1, timeoutMs = 4_500, unpaidMs }: OrdersOptions = {}) {
	const createTogether = microBatch(
		skipExpired((items: NewOrder[]) => deadlineIn(timeoutMs).bound(store.create(items), "Postgres"), "Postgres"),
		{ ...BATCH, concurrency: batches }
	);
	const findTogether = microBatch<string, FoundOrder>(ids => deadlineIn(timeoutMs).bound(store.find(ids), "Postgres"), BATCH);
	const find = (id: string, deadline: Deadline) => deadline.bound(findTogether(id), "Postgres");
	const repository: OrderRepository = {
		find,
		create: (order: NewOrder, deadline: Deadline) => deadline.bound(createTogether({ item: order, deadline }), "Postgres"),
		settle: async (id: string, deadline: Deadline) => (await deadline.bound(store.voidUnknown([id]), "Postgres")).includes(id)
	};

	/** The order, if this asker may see it. */
	const findVisible = async (id: string, { buyerId }: Omit<Access, "asker">, deadline: Deadline): Promise<StoredOrder> => {
		const order = await find(id, deadline);
		if (!order || order === "void" || (buyerId !== undefined && order.buyerId !== buyerId))
			throw notFound("There is no such order");
		return order;
	};

	/** Takes the order there, unless it is there already; whoever changes it meanwhile goes first, and it is decided anew. */
	const transitionTo = async (id: string, to: Status, by: Access, requestID: string | undefined) => {
		const deadline = deadlineIn(timeoutMs);
		while (!deadline.isOver()) {
			const order = await findVisible(id, by, deadline);
			const step = decideTransition(order.status, to, by.asker);
			if (step instanceof Error) throw step;
			if (step === "nothing") return { order, isNews: false };
			const changed = await deadline.bound(store.applyTransition(step, order, requestID), "Postgres");
			if (changed) return { order: changed, isNews: true };
		}
		throw unavailable("Postgres");
	};

	let market: CatalogueClient;
	let expiry: ReturnType<typeof startExpiry> | undefined;

	return defineService({
		name: "orders",
		mixins,

		actions: {
			async create(ctx) {
				const { caller } = ctx.meta;
				if (!caller) throw unauthorized("Sign in, and send your token");
				const requestID = ctx.requestID ?? undefined;
				const placing = { ...ctx.params, buyerId: caller.id, requestID };
				const order = await placeOrder(placing, market, repository, deadlineIn(timeoutMs));
				this.logger.debug("stored", { order: order.orderId, buyer: caller.id, requestID });
				// A retry has the answer of the first time, whatever has become of the order.
				return toResponse({ ...order, status: INITIAL.status });
			},

			async setStatus(ctx) {
				const { order } = await transitionTo(ctx.params.id, ctx.params.status, actorOf(ctx.meta), ctx.requestID ?? undefined);
				return toResponse(order);
			},

			async cancel(ctx) {
				const { order } = await transitionTo(ctx.params.id, "cancelled", actorOf(ctx.meta), ctx.requestID ?? undefined);
				return toResponse(order);
			},

			async list(ctx) {
				const { buyerId = ctx.params.buyerId } = actorOf(ctx.meta);
				const page = await deadlineIn(timeoutMs).bound(store.list({ ...ctx.params, buyerId }), "Postgres");
				return page.map(toResponse);
			},

			async figures({ params: { since } }) {
				const found = await deadlineIn(timeoutMs).bound(store.statistics(since ? new Date(since) : undefined), "Postgres");
				return toStatisticsResponse(found);
			},

			get: async ctx => toResponse(await findVisible(ctx.params.id, actorOf(ctx.meta), deadlineIn(timeoutMs))),

			async buyer(ctx) {
				const { buyerId } = await findVisible(ctx.params.orderId, {}, deadlineIn(timeoutMs));
				return { buyerId };
			},

			settle: ctx => deadlineIn(timeoutMs).bound(store.voidUnknown(ctx.params.ids), "Postgres")
		},

		topics: {
			async "payment.failed"({ message, requestID }) {
				// One that comes too late, after an admin has shipped the order, is refused: in the dead letters a person finds it.
				const { isNews } = await transitionTo(message.orderId, "cancelled", { asker: "system" }, requestID);
				return { duplicates: isNews ? 0 : 1 };
			},

			"payment.succeeded": {
				async batch({ received }) {
					const news = await store.markPaid(received.map(({ message }) => message.orderId));
					return { duplicates: received.length - news };
				}
			}
		},

		created() {
			const call = this.broker.call.bind(this.broker) as Caller["call"];
			market = catalogueClient({ call }, { calls: batches, timeoutMs });
		},

		started() {
			if (unpaidMs !== undefined) expiry = startExpiry(store, unpaidMs, this.logger);
		},

		async stopped() {
			await expiry?.stop();
		}
	});
}
