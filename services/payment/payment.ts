import type { ServiceSchema } from "moleculer";
import { Total, toCents } from "../../contract/money.ts";
import { deadlineIn } from "../../mixins/deadline.ts";
import { conflict, invalid, notFound, unauthorized } from "../../mixins/errors.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { defineService, type Message, type Meta } from "../define-service.ts";
import { type CollectorOptions, startCollector } from "./payment.collector.ts";
import type { PaymentProvider } from "./payment.provider.ts";
import { type PaymentEvent, type StoredPayment, toResponse } from "./payment.rules.ts";
import type { PaymentStore } from "./payment.store.ts";

export interface PaymentOptions {
	/** The outbox that publishes orders. */
	orders: Pick<Outbox, "proofs">;
	mixins?: Partial<ServiceSchema>[];
	/** Whether this node sends requests to the provider. */
	collects?: boolean;
	collector?: CollectorOptions;
}

/** Below the 5 s after which a client must have an answer. */
const TIMEOUT_MS = 4_500;

/** An admin, and the operator at the REPL, sees every payment; any other caller only those of their own orders. */
function maySee(buyerId: string | undefined, { caller, $repl }: Meta) {
	if (!caller && !$repl) throw unauthorized("Sign in, and send your token");
	return !caller || caller.role === "admin" || caller.id === buyerId;
}

const toOrderedEvent = (
	orderId: string,
	{ buyerId, total }: Pick<Message<"order.created">, "buyerId" | "total">,
	requestID: string
): PaymentEvent => {
	const amountCents = toCents(total);
	// Foreign producers can write any total.
	if (!Total.safeParse(total).success || !Number.isSafeInteger(amountCents))
		throw invalid([{ field: "total", message: "is no amount that can be charged" }]);
	return { orderId, type: "ordered", buyerId, amountCents, requestID };
};

/**
 * Charges and refunds orders: at most one charge and one refund an order, for repeated, late and reordered messages. A message without a valid proof that
 * the outbox of orders published it is checked against the stored order: buyer and total come from there. It becomes a dead letter if the order is not
 * stored, or if it is a cancellation and the stored order is not cancelled.
 */
export function payment(
	store: PaymentStore,
	provider: PaymentProvider,
	{ orders, mixins = [], collects = true, collector }: PaymentOptions
) {
	let collecting: ReturnType<typeof startCollector> | undefined;

	const apply = async (events: PaymentEvent[], assumed?: StoredPayment[]) => {
		const { duplicates, opensRequests } = await store.applyEvents(events, assumed);
		// A duplicate may be the retry of a statement whose answer was lost, or of a node that was killed before it asked the provider.
		if (opensRequests || duplicates > 0) collecting?.wake();
		return { duplicates };
	};

	return defineService({
		name: "payment",
		// The action is `payments.get`, not `payment.get`.
		settings: { $noServiceNamePrefix: true },
		mixins,

		actions: {
			async "payments.get"(ctx) {
				const found = await deadlineIn(TIMEOUT_MS).bound(store.find(ctx.params.orderId), "Postgres");
				const answer = found && toResponse(found);
				if (answer && maySee(found.buyerId, ctx.meta)) return answer;
				if (answer) throw notFound("There is no payment for such an order");
				// `order.created` is not consumed yet: the order has the amount, and decides who may see it.
				const { total, status } = await ctx.call("orders.get", { id: ctx.params.orderId });
				return { orderId: ctx.params.orderId, amount: total, status: status === "cancelled" ? "cancelled" : "pending" };
			}
		},

		topics: {
			"order.created": {
				async batch({ received }) {
					const { isProven } = await orders.proofs();
					const events = received.map(async ({ message, record, requestID, ctx }) => {
						const { orderId } = message;
						const order = isProven(record) ? message : await ctx.call("orders.stored", { orderId });
						return toOrderedEvent(orderId, order, requestID);
					});
					// Usually the first message of an order: nothing is stored for it.
					return apply(await Promise.all(events), []);
				}
			},
			"order.cancelled": {
				async batch({ received }) {
					const { isProven } = await orders.proofs();
					const events = received.map(async ({ message: { orderId }, record, requestID, ctx }): Promise<PaymentEvent> => {
						if (!isProven(record) && (await ctx.call("orders.stored", { orderId })).status !== "cancelled")
							throw conflict("the order is not cancelled", { orderId });
						return { orderId, type: "cancelled", requestID };
					});
					return apply(await Promise.all(events));
				}
			}
		},

		started() {
			if (!collects) return;
			this.logger.info(`payments use provider ${provider.name}`);
			collecting = startCollector(store, provider, this.logger, collector);
		},

		async stopped() {
			await collecting?.stop();
		}
	});
}
