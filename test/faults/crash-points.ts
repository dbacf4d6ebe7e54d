// Where a crash hurts most: between two steps that no transaction holds together.
import type { When } from "./hook.ts";

export interface Point {
	/** What is killed: one of these processes. */
	processes: readonly string[];
	name: string;
	when: When;
	/** A regular expression; see hook.ts. */
	step: string;
}

const of = (...processes: string[]) => {
	const at = (when: When, name: string, step: string): Point => ({ processes, name, when, step: `^${step}` });
	return { before: at.bind(undefined, "before"), after: at.bind(undefined, "after") };
};

// Answers are given where they are asked for: the gateways place orders, sell and take picks.
const gateway = of("gateway-1", "gateway-2");
const selections = of("selections");
const purchase = of("purchase");
const wallet = of("wallet");
const orders = of("orders");
const inventory = of("inventory");
const payment = of("payment");

export const points: readonly Point[] = [
	gateway.after("a pick is durable and not answered yet", "kafka produce .*Selections"),
	gateway.before("purchases are written and not committed", "postgres COMMIT of .*insert into purchases "),
	gateway.after("purchases are committed and not answered", "postgres COMMIT of .*insert into purchases "),
	gateway.after("stock is reserved for an order that is not stored", "call inventory.reserve"),
	gateway.before("orders are written and not committed", "postgres COMMIT of .*insert into orders "),
	gateway.after("orders are committed and not answered", "postgres COMMIT of .*insert into orders "),
	gateway.after("a cancel is committed and not answered", "postgres COMMIT of .*update orders "),
	gateway.before("frames are pushed and their offset is not committed", "kafka commit socket"),
	purchase.before("the outbox is read and nothing sent", "kafka produce .*user_purchase"),
	purchase.after("purchases are sent and stand in the outbox", "kafka produce .*user_purchase"),
	wallet.before("a batch of purchases has come to nothing yet", "redis evalsha .*wallets:applied.* wallet:"),
	wallet.after("totals are in Redis and nobody was told", "redis evalsha .*wallets:applied.* wallet:"),
	wallet.before("balances are told and the offset is not committed", "kafka commit wallet"),
	selections.after("some ids of a batch are stored", "cassandra insert into selections "),
	selections.after("some totals of a batch are stored", "cassandra insert into selection_totals "),
	selections.after("the checkpoint is stored", "cassandra insert into selection_checkpoints "),
	selections.before("totals are stored and the summary is not raised", "call summary.raise"),
	selections.after("the summary is raised and nobody was told", "call summary.raise"),
	selections.after("counts are told and the offset is not committed", "kafka produce .*SelectionSummary"),
	selections.after("the offset is committed", "kafka commit selections"),
	orders.after("orders are sent and stand in the outbox", "kafka produce .*order\\.created"),
	orders.after("cancels are sent and stand in the outbox", "kafka produce .*order\\.cancelled"),
	orders.before("orders are known to be paid and the offset is not committed", "kafka commit orders"),
	inventory.before("movements are written and not committed", "postgres COMMIT of .*stock"),
	inventory.after("movements are committed and the offset is not", "postgres COMMIT of .*stock"),
	inventory.before("stock has moved and the offset is not committed", "kafka commit inventory"),
	inventory.after("stock is told and stands in the outbox", "kafka produce .*inventory\\.updated"),
	payment.after("the provider is about to be asked", "postgres COMMIT of .*asked = asked \\+ 1"),
	payment.before("the provider has answered and it is not written", "postgres COMMIT of .*set state = now.state"),
	payment.after("payments are told and stand in the outbox", "kafka produce .*payment\\.succeeded"),
	payment.before("payments are opened and the offset is not committed", "kafka commit payment"),
	of("sync").before("counts are answered and the offset is not committed", "kafka commit sync")
];
