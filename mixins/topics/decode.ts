import type { Caller } from "../caller.ts";
import { invalid } from "../errors.ts";
import { fieldErrorsOf } from "../field-errors.ts";
import { type Encodable, REQUEST_ID } from "./encode.ts";
import type { Received } from "./handler-types.ts";
import { partitionOf } from "./partition.ts";
import type { Headers, Outgoing, TopicRecord } from "./topic-log.ts";

/** A record is readable; or it never will be; or it lies on a partition that does not own its key. */
export type Decoded =
	| { record: TopicRecord; received: Received<unknown> }
	| { record: TopicRecord; dead: { type?: string; message: string } }
	| { record: TopicRecord; stray: Outgoing };

const unreadable = (record: TopicRecord, message: string): Decoded => ({ record, dead: { type: "UNREADABLE", message } });

/** The headers of a record that is moved, with where it first lay: what stands for its identity must not change on the way. */
export const originOf = ({ topic, partition, offset, headers }: TopicRecord): Headers =>
	headers["origin-offset"] === undefined
		? { ...headers, "origin-topic": topic, "origin-partition": String(partition), "origin-offset": String(offset) }
		: headers;

/**
 * Reads one record by its topic's contract. Foreign clients partition by other hashes, or by none: their records are sent on to the
 * partition that owns the key, so that a key has one writer at a time, whoever wrote it.
 */
export function decode(
	record: TopicRecord,
	contract: Encodable,
	partitions: number,
	callerOf: (requestID: string) => Caller,
	newRequestID: () => string
): Decoded {
	let json: unknown;
	try {
		json = JSON.parse(String(record.value));
	} catch {
		return unreadable(record, "not JSON");
	}
	const parsed = contract.message.safeParse(json);
	if (!parsed.success) return unreadable(record, invalid(fieldErrorsOf(parsed.error)).message);

	const key = contract.key(parsed.data);
	if (partitionOf(key, partitions) !== record.partition)
		return { record, stray: { topic: record.topic, key, value: record.value!, headers: originOf(record) } };

	// A foreign record may lie in the right place under another key, or none: what keeps its order is the contract's.
	const keyed = String(record.key) === key ? record : { ...record, key: Buffer.from(key) };
	const requestID = record.headers[REQUEST_ID] ?? newRequestID();
	return { record, received: { message: parsed.data, record: keyed, requestID, ctx: callerOf(requestID) } };
}
