import { isUtf8 } from "node:buffer";
import { invalid } from "../errors.ts";
import { checkFields } from "../field-errors.ts";
import { textErrors } from "../json-text.ts";
import type { Encodable } from "./encode.ts";
import type { Received } from "./handler-types.ts";
import { type Meta, metaIn, REQUEST_ID } from "./headers.ts";
import { partitionOf } from "./partition.ts";
import type { Headers, Outgoing, TopicRecord } from "./topic-log.ts";

/** A record that can be handled, can never be read, or is in a partition that does not own its key. */
export type Decoded =
	| { record: TopicRecord; received: Received<unknown> }
	| { record: TopicRecord; dead: { type?: string; message: string } }
	| { record: TopicRecord; misrouted: Outgoing };

export interface DecodeOptions {
	/** Of the topic. */
	partitions: number;
	/** A record in another partition than its key's is read where it is. */
	anyPartition?: boolean;
	/** Keys of `meta` that are read from headers. */
	metaKeys: readonly string[];
	contextOf(requestID: string, meta: Meta | undefined): Received<unknown>["ctx"];
	/** For a record that carries none. */
	newRequestID(): string;
}

const unreadable = (record: TopicRecord, message: string): Decoded => ({ record, dead: { type: "UNREADABLE", message } });

/** The headers of a record that is moved, with its first place: that identifies a record without an id, so a further move keeps it. */
export const originOf = ({ topic, partition, offset, headers }: TopicRecord): Headers =>
	headers["origin-offset"] === undefined
		? { ...headers, "origin-topic": topic, "origin-partition": String(partition), "origin-offset": String(offset) }
		: headers;

/** Whether a record is the copy that was made of a misrouted record. A replayed one is not: it was asked for. */
export const isMovedCopy = ({ topic, headers }: TopicRecord) =>
	headers["origin-topic"] === topic && headers.replays === undefined;

/**
 * Reads one record by its topic's contract. Other clients may choose partitions by another hash, or without one: such a record is misrouted, and
 * belongs on the partition that owns its key, so that each key has one writer at a time.
 */
export function decode(record: TopicRecord, contract: Encodable, options: DecodeOptions): Decoded {
	const { value } = record;
	if (value !== null && !isUtf8(value)) return unreadable(record, "not UTF-8");
	const text = String(value);
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return unreadable(record, "not JSON");
	}
	const illFormed = textErrors(text, json);
	if (illFormed.length > 0) return unreadable(record, invalid(illFormed).message);
	const { data: message, fieldErrors } = checkFields(contract.message, json);
	if (fieldErrors) return unreadable(record, invalid(fieldErrors).message);

	const key = contract.key(message);
	if (!options.anyPartition && partitionOf(key, options.partitions) !== record.partition)
		return { record, misrouted: { topic: record.topic, key, value: value!, headers: originOf(record) } };

	// A record of another client may have another key, or none, and still be on the right partition: order follows the contract's key.
	const keyed = String(record.key) === key ? record : { ...record, key: Buffer.from(key) };
	const requestID = record.headers[REQUEST_ID] ?? options.newRequestID();
	const meta = metaIn(record.headers, options.metaKeys);
	return { record, received: { message, record: keyed, requestID, meta, ctx: options.contextOf(requestID, meta) } };
}
