import { cassandra as withTables } from "../../mixins/cassandra.ts";
import { database } from "../../mixins/database/database.ts";
import { config } from "../../runtime/config.ts";
import { cassandra, embedded, postgres, runsService, withTopics } from "../../runtime/drivers.ts";
import { cqlSelections, selectionTables } from "./selections.store.cql.ts";
import { sqlSelections } from "./selections.store.sql.ts";
import { selections } from "./selections.ts";

const [store, withStore] = embedded
	? [sqlSelections(postgres().knex), database(postgres(), new URL("./migrations/", import.meta.url))]
	: [cqlSelections(cassandra()), withTables(cassandra(), selectionTables)];

export default selections(store, {
	names: config.selectionNames,
	verbose: ["debug", "trace"].includes(config.logLevel),
	// A node that only accepts picks needs the topic log, and no store.
	mixins: runsService("selections") ? [withTopics(), withStore] : [withTopics()]
});
