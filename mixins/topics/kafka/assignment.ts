import { setTimeout as delay } from "node:timers/promises";
import type { Admin, Batch, Consumer } from "kafkajs";
import type { ConsumeOptions } from "../topic-log.ts";
import { type Log, rootCause, within } from "./connection.ts";
import { PartitionQueue } from "./partition-queue.ts";

const MAX_RECORDS = 500;
const LOCATE_WITHIN_MS = 5_000;
const LOCATE_AGAIN_AFTER_MS = 100;
/** Commits are gathered for so long: one that is lost costs a redelivery, one for every batch would cost Kafka more than the records do. */
const COMMIT_AFTER_MS = 50;

interface Given {
	topic: string;
	partitions: number[];
}

interface Position {
	topic: string;
	partition: number;
	offset: string;
}

export interface AssignmentOptions extends ConsumeOptions {
	consumer: Consumer;
	admin: Admin;
	/** Batches under way, by partition: they outlive the assignment under which they were handed over. */
	busy: Map<string, Promise<void>>;
	/** Whether the group still counts this member in. */
	isMember(): boolean;
	/** Called when nothing more can come of this assignment. */
	broken(error: Error): void;
	logger?: Log;
}

const keyOf = (topic: string, partition: number) => `${topic}/${partition}`;

/** The partitions that the group has given this member, until it gives anew: where each goes on, what of it waits, what is committed. */
export class Assignment {
	readonly #options: AssignmentOptions;
	readonly #given: Given[];
	readonly #over = new AbortController();
	readonly #mailboxes = new Map<string, PartitionQueue>();
	/** Handled and not committed yet. */
	readonly #handled = new Map<string, Position>();
	#commitTimer: NodeJS.Timeout | undefined;
	#isLost = false;
	/** Resolves once it is known where each partition goes on. */
	readonly located: Promise<void>;

	constructor(given: Record<string, number[]>, options: AssignmentOptions) {
		this.#options = options;
		this.#given = Object.entries(given).map(([topic, partitions]) => ({ topic, partitions }));
		// kafkajs remembers a pause from one assignment to the next.
		this.#fetch(true, this.#given);
		const locating = Promise.all(this.#given.map(({ topic, partitions }) => this.#locate(topic, partitions)));
		this.located = within(LOCATE_WITHIN_MS, "Kafka", locating).then(() => undefined, options.broken);
	}

	/** Takes in what was fetched of a partition. */
	push({ topic, partition, messages, highWatermark }: Batch) {
		this.#mailboxes.get(keyOf(topic, partition))?.push(messages, Number(highWatermark));
	}

	/** Records that wait, per topic. */
	lag() {
		const lag: Record<string, number> = {};
		for (const { topic, lag: records } of this.#mailboxes.values()) lag[topic] = (lag[topic] ?? 0) + records;
		return lag;
	}

	/** Hands nothing more over. */
	get isOver() {
		return this.#over.signal.aborted;
	}

	/** Hands nothing more over, and resolves when no batch is under way; what those answer is still committed. */
	async finish() {
		this.#over.abort();
		this.#fetch(false, this.#given);
		await Promise.all([...this.#mailboxes.values()].map(({ idle }) => idle));
	}

	/** The partitions belong to somebody else: what is still under way counts for nothing. */
	lose() {
		this.#isLost = true;
		this.#over.abort();
		for (const [key, { idle }] of this.#mailboxes) this.#options.busy.set(key, idle);
	}

	/** Commits all that is handled. Never rejects: what could not be committed is tried again with the next, or redelivered. */
	async commit() {
		const positions = [...this.#handled];
		this.#handled.clear();
		if (positions.length === 0) return;
		try {
			await this.#options.consumer.commitOffsets(positions.map(([, position]) => position));
		} catch (error) {
			const cause = rootCause(error);
			this.#options.logger?.debug(`group ${this.#options.group} could not commit: ${cause.message}`);
			// The group has gone on without this member, and kafkajs may not have heard of it yet.
			if (!this.#isLost && (cause.type === "UNKNOWN_MEMBER_ID" || cause.type === "ILLEGAL_GENERATION"))
				this.#options.broken(cause);
			for (const [key, position] of positions) if (!this.#handled.has(key)) this.#handled.set(key, position);
		}
	}

	/** Whether kafkajs is to fetch more of these. */
	#fetch(isWanted: boolean, which: Given[]) {
		try {
			if (!this.#isLost) this.#options.consumer[isWanted ? "resume" : "pause"](which);
		} catch {
			// A consumer that has crashed refuses to be told; it fetches nothing anyway.
		}
	}

	#commitSoon() {
		this.#commitTimer ??= setTimeout(async () => {
			await this.commit();
			this.#commitTimer = undefined;
			if (this.#handled.size > 0 && !this.#isLost) this.#commitSoon();
		}, COMMIT_AFTER_MS);
	}

	/** kafkajs looks for positions too, but keeps them to itself: lag, and what an earlier fetch may still bring, cannot be told from them. */
	async #locate(topic: string, partitions: number[]) {
		const { admin, consumer, group } = this.#options;
		const [offsets, committed] = await this.#ask(() =>
			Promise.all([admin.fetchTopicOffsets(topic), admin.fetchOffsets({ groupId: group, topics: [topic] })])
		);
		if (this.#isLost) return;
		for (const partition of partitions) {
			const known = offsets.find(one => one.partition === partition);
			const low = Number(known?.low);
			const high = Number(known?.high);
			const stored = Number(committed[0]?.partitions.find(one => one.partition === partition)?.offset ?? -1);
			const from = stored >= low && stored <= high ? stored : low;
			this.#mailboxes.set(keyOf(topic, partition), this.#mailbox(topic, partition, from, high));
			// What an earlier fetch still brings is dropped by kafkajs until it has fetched from here.
			consumer.seek({ topic, partition, offset: String(from) });
		}
	}

	/** A server that has just started, or a topic that was just made, takes a moment to answer. */
	async #ask<T>(question: () => Promise<T>): Promise<T> {
		const deadlineMs = Date.now() + LOCATE_WITHIN_MS;
		for (;;) {
			try {
				return await question();
			} catch (error) {
				if (this.#isLost || Date.now() > deadlineMs) throw error;
				await delay(LOCATE_AGAIN_AFTER_MS);
			}
		}
	}

	#mailbox(topic: string, partition: number, from: number, endOffset: number) {
		const { handler, maxRecords = MAX_RECORDS, busy, isMember, group, logger } = this.#options;
		const key = keyOf(topic, partition);
		return new PartitionQueue(from, endOffset, {
			topic,
			partition,
			handler,
			maxRecords,
			over: this.#over.signal,
			isMember,
			free: busy.get(key) ?? Promise.resolve(),
			handled: offset => {
				if (this.#isLost) return;
				this.#handled.set(key, { topic, partition, offset: String(offset) });
				this.#commitSoon();
			},
			full: isFull => this.#fetch(!isFull, [{ topic, partitions: [partition] }]),
			failed: error => logger?.warn(`group ${group}: the handler of ${key} failed`, error)
		});
	}
}
