import { database } from "../../mixins/database/database.ts";
import { embedded, postgres, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { purchaseOutbox } from "./purchase.contract.ts";
import { sqlPurchases } from "./purchase.store.ts";
import { purchase } from "./purchase.ts";

const { outbox, relay } = withOutbox("purchase", purchaseOutbox);

export default purchase(sqlPurchases(postgres().knex, outbox), {
	mixins: [relay, withTopics(), database(postgres(), new URL("./migrations/", import.meta.url))],
	// The embedded Postgres has one session, so it runs one transaction at a time.
	batches: embedded ? 1 : 2
});
