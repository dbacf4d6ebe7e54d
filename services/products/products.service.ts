import { database } from "../../mixins/database/database.ts";
import { postgres, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { sqlProducts } from "./products.store.ts";
import { products } from "./products.ts";

const { outbox, relay } = withOutbox("products");

export default products(sqlProducts(postgres().knex, outbox), {
	mixins: [relay, withTopics(), database(postgres(), new URL("./migrations/", import.meta.url))]
});
