// Messages that nobody could handle: how they are laid aside, and how they come back.
import { originOf } from "./decode.ts";
import type { Headers, Outgoing, TopicRecord } from "./topic-log.ts";

/** Where the messages of a topic go that nobody could handle. */
export const deadTopic = (topic: string) => `${topic}.dead`;

const MAX_REASON_CHARACTERS = 500;
/** How often a message was put back, and for which group alone. */
const REPLAYS = "replays";
const REPLAY_GROUP = "replay-group";
/** On a record among the dead letters that is none: the letter at this offset was put back. */
const REPLAYED_OFFSET = "replayed-offset";

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

/** A dead letter as its headers tell it. */
export interface Letter {
	/** As it lies among the dead letters. */
	record: TopicRecord;
	/** Where it was read when it was given up. */
	topic: string;
	offset: number;
	group: string;
	type: string;
	reason: string;
	/** How often it had been put back before it died again. */
	replays: number;
}

const wholeNumber = (text = "") => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

/** Undefined for what others have put there. */
export function letterOf(record: TopicRecord): Letter | undefined {
	const {
		"dead-topic": topic,
		"dead-group": group,
		"dead-type": type = "",
		"dead-reason": reason = "",
		...more
	} = record.headers;
	const offset = wholeNumber(more["dead-offset"]);
	if (topic === undefined || group === undefined || offset === undefined || deadTopic(topic) !== record.topic) return undefined;
	return { record, topic, offset, group, type, reason, replays: wholeNumber(more[REPLAYS]) ?? 0 };
}

/**
 * The message as it goes back: the same key and bytes, on the partition it came from, for the group that gave it up alone. It keeps where it
 * first lay, which stands for its identity where it has no id of its own.
 */
export function replayOf({ record, topic, offset, group, replays }: Letter): Outgoing {
	const own = Object.entries(record.headers).filter(([name]) => !name.startsWith("dead-"));
	const headers = originOf({ ...record, topic, offset, headers: Object.fromEntries(own) });
	return {
		topic,
		key: record.key,
		value: record.value ?? "",
		headers: { ...headers, [REPLAYS]: String(replays + 1), [REPLAY_GROUP]: group },
		partition: record.partition
	};
}

/** Whether a message was put back for another group than this one. */
export const isForAnother = ({ headers }: TopicRecord, group: string) => (headers[REPLAY_GROUP] ?? group) !== group;

/** What is put behind a letter once it is back on its topic: nothing else remembers it for as long as the letter lies there. */
export const replayMark = ({ record: { topic, partition, key, offset } }: Letter): Outgoing => ({
	topic,
	key,
	value: "",
	headers: { [REPLAYED_OFFSET]: String(offset) },
	partition
});

/** The offset of the letter that such a mark speaks of; undefined for any other record. */
export const replayedOffset = ({ headers }: TopicRecord) => wholeNumber(headers[REPLAYED_OFFSET]);
