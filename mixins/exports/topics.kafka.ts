export type { KafkaCredentials, KafkaOptions } from "../topics/kafka/connection.ts";
export { type KafkaLogOptions, kafkaLog } from "../topics/kafka/kafka-log.ts";
