// What handlers of topics get and return, and what publishing takes.
import type { Caller } from "../caller.ts";
import type { Meta } from "./headers.ts";
import type { Headers, TopicRecord } from "./topic-log.ts";

/** One message. Calls made with `ctx` carry on the request id, and the `meta`, of the request that published it. */
export interface Received<M, Ctx = Caller> {
	message: M;
	/** Its place and headers. `key` is the one that the contract computes, whatever the record had. */
	record: TopicRecord;
	requestID: string;
	/** What the message carried of its request's `meta`; undefined if nothing. */
	meta?: Meta;
	ctx: Ctx;
}

export interface Handled {
	/** How many of the messages had been handled before and changed nothing. */
	duplicates: number;
}

/** Handles one message. Messages of one key come one after the other, in order; those of other keys at the same time. */
export type HandleOne<M, Ctx = Caller> = (received: Received<M, Ctx>) => Promise<Handled | void>;

/** Messages of one partition, in order. */
export interface ReceivedBatch<M, Ctx = Caller> {
	received: Received<M, Ctx>[];
	topic: string;
	partition: number;
	/** The end of the log when it was read. */
	endOffset: number;
	/** Asks for the present end of the log: other nodes may have handled more since this batch was read. */
	currentEnd(): Promise<number>;
	/** True on the first batch since the partition was assigned to this node. */
	first: boolean;
	/** False as soon as the partition may be assigned to another node, which then handles these messages too. */
	isCurrent(): boolean;
}

export type HandleBatch<M, Ctx = Caller> = (batch: ReceivedBatch<M, Ctx>) => Promise<Handled | void>;

/**
 * A topic that every node reads by itself, from its end: for what a node shows or caches, not for effects. Nothing is committed: after a restart a
 * node gets what is published from then on.
 */
export interface EveryNode<M, Ctx = Caller> {
	everyNode: true;
	batch: HandleBatch<M, Ctx>;
	/** Called when messages did not reach this node, because the log does not have them any more: what was built from them is outdated. */
	missed(): void;
}

export interface PublishOptions {
	headers?: Headers;
	requestID?: string;
	/** The request's `meta`: its `traceparent`, and the keys that the option `metaKeys` lists, travel in headers. */
	meta?: object;
}
