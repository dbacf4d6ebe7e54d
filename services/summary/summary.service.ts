import { config } from "../../runtime/config.ts";
import { postgres } from "../../runtime/drivers.ts";
import { sqlSummary } from "./summary.store.ts";
import { summary, summaryTables } from "./summary.ts";

const store = sqlSummary(postgres().knex);

export default summary(store, config.selectionNames, [summaryTables(postgres(), store, config.selectionNames)]);
