import { database } from "../../mixins/database/database.ts";
import { config } from "../../runtime/config.ts";
import { embedded, postgres, runsService, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { ordersOutbox } from "./orders.contract.ts";
import { sqlOrders } from "./orders.store.ts";
import { orders } from "./orders.ts";

const { outbox, relay } = withOutbox("orders", ordersOutbox);

export default orders(sqlOrders(postgres().knex, outbox), {
	mixins: [relay, withTopics(), database(postgres(), new URL("./migrations/", import.meta.url))],
	// The embedded Postgres has one session, so it runs one transaction at a time.
	batches: embedded ? 1 : 2,
	unpaidMs: runsService("orders") ? config.orderTimeoutMinutes * 60_000 : undefined,
	orphanSweep: runsService("orders") ? {} : undefined
});
