// What handlers are given of a topic, and what they answer.
import type { Caller } from "../caller.ts";
import type { Headers, TopicRecord } from "./topic-log.ts";

/** A message with all that is known of it. `ctx` carries the request id of the request that set it off: calls made with it carry it on. */
export interface Received<M, Ctx = Caller> {
	message: M;
	/** Where it lay, and its headers; `key` is the contract's, whatever the record had. */
	record: TopicRecord;
	requestID: string;
	ctx: Ctx;
}

export interface Handled {
	/** How many of the messages had been handled before and changed nothing. */
	duplicates: number;
}

/** Handles one message: other keys at the same time, one key in order. */
export type HandleOne<M, Ctx = Caller> = (received: Received<M, Ctx>) => Promise<Handled | void>;

/** Handles what one partition has to hand over, in order. */
export type HandleBatch<M, Ctx = Caller> = (batch: {
	received: Received<M, Ctx>[];
	topic: string;
	partition: number;
	/** Where the log ended when it was read. */
	endOffset: number;
	/** The first batch since the partition is ours. */
	first: boolean;
	/** False as soon as the partition may be another's, who then handles these messages too. */
	isCurrent(): boolean;
}) => Promise<Handled | void>;

export interface PublishOptions {
	headers?: Headers;
	requestID?: string;
}
