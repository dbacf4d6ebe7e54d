import { kafkaLog } from "../../mixins/topics/kafka/kafka-log.ts";
import { readConfig } from "../../runtime/config.ts";
import { deadlettersSuite } from "./deadletters.suite.ts";

deadlettersSuite("dead letters on Kafka", async () => {
	const log = kafkaLog({ brokers: readConfig(process.env).kafkaBrokers, clientId: "test", replication: 1 });
	return { log, close: () => log.close() };
});
