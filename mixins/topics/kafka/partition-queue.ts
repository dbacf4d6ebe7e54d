import type { KafkaMessage } from "kafkajs";
import { type Backoff, createBackoff } from "../../backoff.ts";
import type { BatchHandler } from "../topic-log.ts";
import { recordOf } from "./records.ts";

const BACKOFF = { firstMs: 50, longestMs: 5_000 };
const FULL_BYTES = 1024 * 1024;

export interface PartitionQueueOptions {
	topic: string;
	partition: number;
	handler: BatchHandler;
	maxRecords: number;
	/** Aborted as soon as the partition is reassigned, or the consumer stops. */
	ended: AbortSignal;
	/** Whether this member is still part of the group: a process that was suspended may have missed a rebalance. */
	isMember(): boolean;
	/** Resolves when a batch of an earlier assignment, which may still be running, has ended. */
	previous: Promise<void>;
	/** Called when all before this offset is handled. */
	onHandled(offset: number): void;
	/** Called when the queue becomes full, so that no more is fetched for it, and when there is room again. */
	onFull(isFull: boolean): void;
	/** Called when the handler throws. */
	onError(error: unknown): void;
}

const bytesOf = ({ key, value }: KafkaMessage) => (key?.length ?? 0) + (value?.length ?? 0);

/**
 * The fetched and not yet handled records of one partition while it is assigned. The handler gets one batch at a time, so a partition whose handler
 * is slow or fails delays no other.
 */
export class PartitionQueue {
	readonly #options: PartitionQueueOptions;
	#messages: KafkaMessage[] = [];
	#bytes = 0;
	#first = true;
	#isFull = false;
	#endOffset: number;
	#next: number;
	#fetchedTo: number;
	#running: Promise<void> | undefined;
	readonly #backoff: Backoff = createBackoff(BACKOFF);

	/** `from`: the position of the group; `endOffset`: the end of the partition. */
	constructor(from: number, endOffset: number, options: PartitionQueueOptions) {
		this.#options = options;
		this.#next = from;
		this.#fetchedTo = from;
		this.#endOffset = endOffset;
	}

	get topic() {
		return this.#options.topic;
	}

	/** Whether it takes no more records until it has handled some. */
	get isFull() {
		return this.#isFull;
	}

	/** Records not handled yet, as of the newest fetch. */
	get lag() {
		return Math.max(0, this.#endOffset - this.#next);
	}

	/** Resolves when no handler runs. */
	get idle(): Promise<void> {
		return this.#running ?? this.#options.previous;
	}

	/** Adds fetched records. */
	push(messages: KafkaMessage[], endOffset: number) {
		const from = Number(messages[0]?.offset);
		if (from < this.#fetchedTo) {
			// The topic was recreated and its offsets start at 0 again: the records of the old one are dropped.
			this.#messages = [];
			this.#bytes = 0;
			this.#first = true;
		}
		this.#endOffset = endOffset;
		this.#fetchedTo = Number(messages.at(-1)?.offset) + 1;
		for (const message of messages) this.#bytes += bytesOf(message);
		this.#messages.push(...messages);
		this.#checkFull();
		this.#running ??= this.#drain().finally(() => {
			this.#running = undefined;
		});
	}

	async #drain() {
		const { previous, ended } = this.#options;
		await previous;
		while (this.#messages.length > 0 && !ended.aborted) if (!(await this.#handleBatch())) await this.#backoff.pause(ended);
	}

	/** Resolves with whether the whole batch is handled; if not, the handler gets a pause, which grows while it makes no progress. */
	async #handleBatch(): Promise<boolean> {
		const { topic, partition, handler, maxRecords, ended, isMember, onHandled, onError } = this.#options;
		const messages = this.#messages;
		const records = messages.slice(0, maxRecords).map(message => recordOf(topic, partition, message));
		const from = records[0]!.offset;
		const end = records.at(-1)!.offset + 1;
		const isCurrent = () => !ended.aborted && isMember();
		const batch = { topic, partition, records, endOffset: this.#endOffset, first: this.#first, isCurrent };
		this.#first = false;
		let next = from;
		try {
			next = Math.min(Math.max(await handler(batch), from), end);
		} catch (error) {
			onError(error);
		}
		// Meanwhile the topic was recreated.
		if (messages !== this.#messages) return true;
		const handled = records.findIndex(({ offset }) => offset >= next);
		for (const message of messages.splice(0, handled < 0 ? records.length : handled)) this.#bytes -= bytesOf(message);
		this.#checkFull();
		if (next > from) {
			this.#next = next;
			this.#backoff.reset();
			onHandled(next);
		}
		return next === end;
	}

	#checkFull() {
		const isFull = this.#bytes > (this.#isFull ? FULL_BYTES / 2 : FULL_BYTES);
		if (isFull !== this.#isFull) this.#options.onFull(isFull);
		this.#isFull = isFull;
	}
}
