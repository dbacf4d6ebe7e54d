// Crash points: between two steps that no transaction combines.
import type { When } from "./hook.ts";

export interface CrashPoint {
	/** One of these processes is killed. */
	processes: readonly string[];
	name: string;
	when: When;
	/** A regular expression; see hook.ts. */
	step: string;
}

const of = (...processes: string[]) => {
	const at = (when: When, name: string, step: string): CrashPoint => ({ processes, name, when, step: `^${step}` });
	return { before: at.bind(undefined, "before"), after: at.bind(undefined, "after") };
};

// The gateways run the actions that clients call: they place orders, create purchases and accept picks.
const gateway = of("gateway-1", "gateway-2");
const selections = of("selections");
const purchase = of("purchase");
const wallet = of("wallet");
const orders = of("orders");
const inventory = of("inventory");
const payment = of("payment");
const seats = of("seats");

/** Only a transaction that opens holds counts those of their buyers; one without confirms or releases. */
const OPENS_HOLDS = "count\\(\\*\\) from seat_holds";

export const crashPoints: readonly CrashPoint[] = [
	gateway.after("a pick is durable and not answered", "kafka produce .*Selections"),
	gateway.before("purchases are accepted and not stored", "postgres .*insert into purchases "),
	gateway.after("purchases are committed and not answered", "postgres .*insert into purchases "),
	gateway.after("stock is reserved and the order is not stored", "call inventory.reserve"),
	gateway.before("orders are priced and reserved and not stored", "postgres .*insert into orders "),
	gateway.after("orders are committed and not answered", "postgres .*insert into orders "),
	gateway.after("a cancellation is committed and not answered", "postgres COMMIT of .*update orders "),
	purchase.before("the outbox is read and nothing is published", "kafka produce .*user_purchase"),
	purchase.after("purchases are published and still in the outbox", "kafka produce .*user_purchase"),
	wallet.before("a batch of purchases is consumed and not applied", "redis evalsha .*wallets:applied.* wallet:"),
	wallet.after("totals are in Redis and not published", "redis evalsha .*wallets:applied.* wallet:"),
	wallet.before("balances are published and the offset is not committed", "kafka commit wallet"),
	selections.after("some ids of a batch are stored", "cassandra (batch )?insert into selections "),
	selections.after("some totals of a batch are stored", "cassandra (batch .*)?insert into selection_totals "),
	selections.after("the checkpoint is stored", "cassandra (batch .*)?insert into selection_checkpoints "),
	selections.before("totals are stored and the summary is not updated", "call summary.raise"),
	selections.after("the summary is updated and not published", "call summary.raise"),
	selections.after("counts are published and the offset is not committed", "kafka produce .*SelectionSummary"),
	selections.after("the offset is committed", "kafka commit selections"),
	orders.after("orders are published and still in the outbox", "kafka produce .*order\\.created"),
	orders.after("cancellations are published and still in the outbox", "kafka produce .*order\\.cancelled"),
	orders.before("orders are marked as paid and the offset is not committed", "kafka commit orders"),
	inventory.before("movements are written and not committed", "postgres COMMIT of .*stock"),
	inventory.after("movements are committed and the offset is not", "postgres COMMIT of .*stock"),
	inventory.before("stock movements are stored and the offset is not committed", "kafka commit inventory"),
	inventory.after("stock is published and still in the outbox", "kafka produce .*inventory\\.updated"),
	payment.after("the payment provider is about to be called", "postgres .*asked = asked \\+ 1"),
	payment.before(
		"the provider has answered, or an order is consumed, and the payment is not stored",
		"postgres .*set state = decided.state"
	),
	payment.after("payments are stored and the offset is not committed", "postgres .*set state = decided.state"),
	payment.after("payments are published and still in the outbox", "kafka produce .*payment\\.succeeded"),
	payment.before("payments are created and the offset is not committed", "kafka commit payment"),
	of("sync").before("synchronization results are published and the offset is not committed", "kafka commit sync")
];

/** Those of seats: between a hold and its sale, and between a sale and its message. */
export const seatCrashPoints: readonly CrashPoint[] = [
	gateway.before("holds are decided and not committed", `postgres COMMIT of .*${OPENS_HOLDS}`),
	gateway.after("holds are committed and not answered", `postgres COMMIT of .*${OPENS_HOLDS}`),
	gateway.before("seats are sold and not committed", `postgres COMMIT of (?!.*${OPENS_HOLDS}).*update shows `),
	gateway.after("seats are sold and not answered", `postgres COMMIT of (?!.*${OPENS_HOLDS}).*update shows `),
	seats.before("ended holds are given back and not committed", "postgres COMMIT of .*update shows "),
	seats.after("changes of seats are published and still in the outbox", "kafka produce .*seats\\.updated")
];
