import { database } from "../../mixins/database/database.ts";
import { config } from "../../runtime/config.ts";
import { outboxOf, postgres, runsService, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { ordersOutbox } from "../orders/orders.contract.ts";
import { testProvider } from "./payment.provider.ts";
import { sqlPayments } from "./payment.store.ts";
import { payment } from "./payment.ts";

const { outbox, relay } = withOutbox("payment");

export default payment(sqlPayments(postgres().knex, outbox), testProvider(config.paymentTestLimit * 100), {
	orders: outboxOf("orders", ordersOutbox),
	mixins: [relay, withTopics(), database(postgres(), new URL("./migrations/", import.meta.url))],
	collects: runsService("payment")
});
