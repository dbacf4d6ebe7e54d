// Where topics and tables are: in this process and its data directory, or on servers.
import { type Database, openPostgres } from "@plaza/mixins/database";
import { openEmbedded } from "@plaza/mixins/database/embedded";
import { embeddedLog } from "@plaza/mixins/topics/embedded";
import { kafkaLog } from "@plaza/mixins/topics/kafka";

const { KAFKA, POSTGRES, DATA = "./data" } = process.env;

export const db: Database = POSTGRES ? openPostgres(POSTGRES) : openEmbedded(DATA);
export const log = KAFKA ? kafkaLog({ brokers: KAFKA.split(","), clientId: "depot", replication: 1 }) : embeddedLog(db.knex);
