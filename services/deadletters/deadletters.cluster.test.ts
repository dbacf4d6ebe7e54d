import { readConfig } from "../../config.ts";
import { kafkaLog } from "../../mixins/topics/kafka-log.ts";
import { deadlettersSuite } from "./deadletters.suite.ts";

deadlettersSuite("dead letters on Kafka", async () => {
	const log = kafkaLog({ brokers: readConfig(process.env).kafkaBrokers, clientId: "test", replication: 1 });
	return { log, close: () => log.close() };
});
