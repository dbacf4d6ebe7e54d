// A process with the relays of the products, inventory and orders outboxes, like a node with these services.
import { ServiceBroker } from "moleculer";
import { openPostgres } from "../mixins/database/database.ts";
import { outbox } from "../mixins/outbox/outbox.ts";
import { relay } from "../mixins/outbox/relay.ts";
import { kafkaLog } from "../mixins/topics/kafka/kafka-log.ts";
import { config } from "../runtime/config.ts";
import { topics } from "../services/contract.ts";

const [url = "", ...services] = process.argv.slice(2);
const { knex } = openPostgres(url);
const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "bench-relays", replication: config.topicReplication });
const broker = new ServiceBroker({ logger: false });
for (const name of services) {
	const box = outbox(knex, { contracts: topics, table: `${name}_outbox` });
	broker.createService({ name, mixins: [relay(box, log)] });
}
await broker.start();
process.send!("ready");
