import type { Headers, Outgoing, TopicRecord } from "./topic-log.ts";

/** Where the messages of a topic go that nobody could handle. */
export const deadTopic = (topic: string) => `${topic}.dead`;

const MAX_REASON_CHARACTERS = 500;

/** A record that was given up, to the byte as it came, with headers that say where it lay and why it is here. */
export function deadLetter(record: TopicRecord, group: string, error: { type?: string; message: string }): Outgoing {
	const headers: Headers = {
		...record.headers,
		"dead-topic": record.topic,
		"dead-partition": String(record.partition),
		"dead-offset": String(record.offset),
		"dead-group": group,
		"dead-type": error.type ?? "ERROR",
		"dead-reason": error.message.slice(0, MAX_REASON_CHARACTERS).toWellFormed()
	};
	// The same partition as it came from: messages of one key lie in order here too.
	return { topic: deadTopic(record.topic), key: record.key, value: record.value ?? "", headers, partition: record.partition };
}
