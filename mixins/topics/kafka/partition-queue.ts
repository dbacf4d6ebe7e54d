import { setTimeout as delay } from "node:timers/promises";
import type { KafkaMessage } from "kafkajs";
import type { BatchHandler } from "../topic-log.ts";
import { recordOf } from "./records.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
const FULL_BYTES = 1024 * 1024;

export interface PartitionQueueOptions {
	topic: string;
	partition: number;
	handler: BatchHandler;
	maxRecords: number;
	/** Aborted as soon as the partition is taken away, or the consumer stops. */
	over: AbortSignal;
	/** Whether the group still counts this member in, which a process that was stopped for a while may have missed. */
	isMember(): boolean;
	/** Resolves when nobody handles records of this partition any more: a batch handed over under an earlier assignment may still be under way. */
	free: Promise<void>;
	/** All before this offset is handled. */
	handled(offset: number): void;
	/** Whether the mailbox is full: fetch nothing more for it meanwhile. */
	full(isFull: boolean): void;
	/** The handler threw. */
	failed(error: unknown): void;
}

const bytesOf = ({ key, value }: KafkaMessage) => (key?.length ?? 0) + (value?.length ?? 0);

/**
 * What one partition has fetched and not handled yet, from the moment it is assigned until it is taken away.
 * It hands over a batch at a time, so a partition whose handler is slow or fails holds up no other.
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
	#working: Promise<void> | undefined;

	/** `from`: where the group goes on; `endOffset`: the end of the partition's log. */
	constructor(from: number, endOffset: number, options: PartitionQueueOptions) {
		this.#options = options;
		this.#next = from;
		this.#fetchedTo = from;
		this.#endOffset = endOffset;
	}

	get topic() {
		return this.#options.topic;
	}

	/** Records that wait, as of the newest fetch. */
	get lag() {
		return Math.max(0, this.#endOffset - this.#next);
	}

	/** Resolves when no batch is under way. */
	get idle(): Promise<void> {
		return this.#working ?? this.#options.free;
	}

	/** Takes in what was fetched. */
	push(messages: KafkaMessage[], endOffset: number) {
		const from = Number(messages[0]?.offset);
		if (from < this.#fetchedTo) {
			// The topic was made anew and counts from 0 again: what is known of the old one is worth nothing.
			this.#messages = [];
			this.#bytes = 0;
			this.#first = true;
		}
		this.#endOffset = endOffset;
		this.#fetchedTo = Number(messages.at(-1)?.offset) + 1;
		for (const message of messages) this.#bytes += bytesOf(message);
		this.#messages.push(...messages);
		this.#checkFull();
		this.#working ??= this.#work().finally(() => {
			this.#working = undefined;
		});
	}

	async #work() {
		await this.#options.free;
		let pauseMs = 0;
		while (this.#messages.length > 0 && !this.#options.over.aborted) {
			pauseMs = await this.#handOver(pauseMs);
			if (pauseMs > 0) await delay(pauseMs, undefined, { signal: this.#options.over }).catch(() => {});
		}
	}

	/** Answers for how long to leave the handler alone. */
	async #handOver(lastPauseMs: number): Promise<number> {
		const { topic, partition, handler, maxRecords, over, isMember, handled, failed } = this.#options;
		const messages = this.#messages;
		const records = messages.slice(0, maxRecords).map(message => recordOf(topic, partition, message));
		const from = records[0]!.offset;
		const end = records.at(-1)!.offset + 1;
		const isCurrent = () => !over.aborted && isMember();
		const batch = { topic, partition, records, endOffset: this.#endOffset, first: this.#first, isCurrent };
		this.#first = false;
		let next = from;
		try {
			next = Math.min(Math.max(await handler(batch), from), end);
		} catch (error) {
			failed(error);
		}
		if (messages !== this.#messages) return 0;
		const done = records.findIndex(({ offset }) => offset >= next);
		for (const message of messages.splice(0, done < 0 ? records.length : done)) this.#bytes -= bytesOf(message);
		this.#checkFull();
		if (next > from) {
			this.#next = next;
			handled(next);
		}
		if (next === end) return 0;
		return next > from ? FIRST_PAUSE_MS : Math.min(Math.max(lastPauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
	}

	#checkFull() {
		const isFull = this.#bytes > (this.#isFull ? FULL_BYTES / 2 : FULL_BYTES);
		if (isFull !== this.#isFull) this.#options.full(isFull);
		this.#isFull = isFull;
	}
}
