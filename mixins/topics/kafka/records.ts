import type { IHeaders, KafkaMessage } from "kafkajs";
import type { Headers, TopicRecord } from "../topic-log.ts";

/** In Kafka a header may occur several times and be empty; the last one counts, as in Kafka's own `lastHeader`. */
function headersOf(headers: IHeaders = {}): Headers {
	const texts: Headers = {};
	for (const name in headers) {
		const value = headers[name];
		texts[name] = String((Array.isArray(value) ? value.at(-1) : value) ?? "");
	}
	return texts;
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
