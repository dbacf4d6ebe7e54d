import { database } from "../../mixins/database/database.ts";
import { embedded, postgres, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { sqlInventory } from "./inventory.store.ts";
import { inventory } from "./inventory.ts";

const { outbox, relay } = withOutbox("inventory");

export default inventory(sqlInventory(postgres().knex, outbox), {
	mixins: [relay, withTopics(), database(postgres(), new URL("./migrations/", import.meta.url))],
	// The embedded Postgres has one session, so it runs one transaction at a time.
	batches: embedded ? 1 : 2
});
