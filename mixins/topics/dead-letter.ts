// Dead letters: messages that could not be handled, and how they are replayed.
import { originOf } from "./decode.ts";
import { wholeNumberIn } from "./headers.ts";
import type { Headers, Outgoing, TopicRecord } from "./topic-log.ts";

/** The topic that takes the messages of a topic that could not be handled. */
export const deadTopic = (topic: string) => `${topic}.dead`;

const MAX_REASON_CHARACTERS = 500;
/** How often a message was replayed, and the only group that it was replayed for. */
const REPLAYS = "replays";
const REPLAY_GROUP = "replay-group";
/** Marks a record of the dead-letter topic that is no dead letter itself: the one at this offset was replayed. */
const REPLAYED_OFFSET = "replayed-offset";

/** The dead letter of a record: its bytes unchanged, with headers that say where it was and why it could not be handled. */
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
	return { topic: deadTopic(record.topic), key: record.key, value: record.value ?? "", headers };
}

/** A dead letter, read from its headers. */
export interface Letter {
	/** On the dead-letter topic. */
	record: TopicRecord;
	/** Its place when it could not be handled. */
	topic: string;
	partition: number;
	offset: number;
	group: string;
	type: string;
	reason: string;
	/** How often it had been replayed before. */
	replays: number;
}

/** Undefined for a record that is no dead letter. */
export function letterOf(record: TopicRecord): Letter | undefined {
	const {
		"dead-topic": topic,
		"dead-group": group,
		"dead-type": type = "",
		"dead-reason": reason = "",
		...more
	} = record.headers;
	const partition = wholeNumberIn(more["dead-partition"]);
	const offset = wholeNumberIn(more["dead-offset"]);
	if (topic === undefined || group === undefined || partition === undefined || offset === undefined) return undefined;
	if (deadTopic(topic) !== record.topic) return undefined;
	return { record, topic, partition, offset, group, type, reason, replays: wholeNumberIn(more[REPLAYS]) ?? 0 };
}

/**
 * The replayed message: the same key and bytes, on the partition it came from, for the group that could not handle it alone. It keeps its first
 * place, which identifies it where it has no id of its own.
 */
export function replayOf({ record, topic, partition, offset, group, replays }: Letter): Outgoing {
	const own = Object.entries(record.headers).filter(([name]) => !name.startsWith("dead-"));
	const headers = originOf({ ...record, topic, partition, offset, headers: Object.fromEntries(own) });
	return {
		topic,
		key: record.key,
		value: record.value ?? "",
		headers: { ...headers, [REPLAYS]: String(replays + 1), [REPLAY_GROUP]: group },
		partition
	};
}

/** Whether a message was replayed for another group than this one. */
export const isForAnother = ({ headers }: TopicRecord, group: string) => (headers[REPLAY_GROUP] ?? group) !== group;

/** A record for the dead-letter topic that says that a dead letter was replayed. It lasts as long as the dead letter itself. */
export const replayMark = ({ record: { topic, partition, key, offset } }: Letter): Outgoing => ({
	topic,
	key,
	value: "",
	headers: { [REPLAYED_OFFSET]: String(offset) },
	partition
});

/** The offset of the dead letter that such a record marks as replayed; undefined for any other record. */
export const replayedOffset = ({ headers }: TopicRecord) => wholeNumberIn(headers[REPLAYED_OFFSET]);
