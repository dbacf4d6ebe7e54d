import type { ServiceSchema } from "moleculer";
import { Total, toCents } from "../../contract/money.ts";
import { deadlineIn } from "../../mixins/deadline.ts";
import { invalid, notFound, unauthorized } from "../../mixins/errors.ts";
import { defineService, type Message, type Meta } from "../define-service.ts";
import { type CollectorOptions, startCollector } from "./payment.collector.ts";
import type { PaymentProvider } from "./payment.provider.ts";
import { type PaymentEvent, toResponse } from "./payment.rules.ts";
import type { PaymentStore } from "./payment.store.ts";

export interface PaymentOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Whether this node asks the provider. */
	collects?: boolean;
	collector?: CollectorOptions;
}

/** A caller is answered within 5 s, whatever has become of the server. */
const TIMEOUT_MS = 4_500;

/** Whether somebody may see what is this buyer's: an admin may, and a person at the prompt. */
function maySee(buyerId: string | undefined, { caller, $repl }: Meta) {
	if (!caller && !$repl) throw unauthorized("Sign in, and send your token");
	return !caller || caller.role === "admin" || caller.id === buyerId;
}

const orderedIn = ({ orderId, buyerId, total }: Message<"order.created">, requestID: string): PaymentEvent => {
	const amountCents = toCents(total);
	// A foreign record may say anything.
	if (!Total.safeParse(total).success || !Number.isSafeInteger(amountCents))
		throw invalid([{ field: "total", message: "is no amount that can be charged" }]);
	return { orderId, happening: "ordered", buyerId, amountCents, requestID };
};

/** Has orders paid: at most one charge and one refund each, whatever comes twice, late or in another order. */
export function payment(
	store: PaymentStore,
	provider: PaymentProvider,
	{ mixins = [], collects = true, collector }: PaymentOptions = {}
) {
	let collecting: ReturnType<typeof startCollector> | undefined;

	const happened = async (events: PaymentEvent[]) => {
		const duplicates = await store.applyEvents(events);
		collecting?.wake();
		return { duplicates };
	};

	return defineService({
		name: "payment",
		// The action's name is the payments'.
		settings: { $noServiceNamePrefix: true },
		mixins,

		actions: {
			async "payments.get"(ctx) {
				const found = await deadlineIn(TIMEOUT_MS).bound(store.find(ctx.params.orderId), "Postgres");
				const answer = found && toResponse(found);
				if (answer && maySee(found.buyerId, ctx.meta)) return answer;
				if (answer) throw notFound("There is no payment for such an order");
				// Nothing has been heard of it yet: the order itself says what is to be paid, and who may know.
				const { total, status } = await ctx.call("orders.get", { id: ctx.params.orderId });
				return { orderId: ctx.params.orderId, amount: total, status: status === "cancelled" ? "cancelled" : "pending" };
			}
		},

		topics: {
			"order.created": {
				batch: ({ received }) => happened(received.map(({ message, requestID }) => orderedIn(message, requestID)))
			},
			"order.cancelled": {
				batch: ({ received }) =>
					happened(received.map(({ message: { orderId }, requestID }) => ({ orderId, happening: "cancelled", requestID })))
			}
		},

		started() {
			if (!collects) return;
			this.logger.info(`payments are made by provider ${provider.name}`);
			collecting = startCollector(store, provider, this.logger, collector);
		},

		async stopped() {
			await collecting?.stop();
		}
	});
}
