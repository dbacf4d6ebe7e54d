import type { IHeaders, KafkaMessage } from "kafkajs";
import type { Headers, TopicRecord } from "./topic-log.ts";

/** Kafka lets a header stand several times and be empty; of several the last one counts, as in Kafka's own `lastHeader`. */
function headersOf(headers: IHeaders = {}): Headers {
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String([value].flat().at(-1) ?? "")]));
}

export const recordOf = (
	topic: string,
	partition: number,
	{ offset, key, value, headers, timestamp }: KafkaMessage
): TopicRecord => ({
	topic,
	partition,
	offset: Number(offset),
	key,
	value,
	headers: headersOf(headers),
	timestampMs: Number(timestamp)
});
