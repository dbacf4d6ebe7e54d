import type { Admin, Consumer } from "kafkajs";
import { deadlineIn } from "../../deadline.ts";
import { lagByTopic } from "../lag.ts";
import type { ConsumeOptions } from "../topic-log.ts";
import { type Connection, failureOf, type Log, rootCause } from "./connection.ts";
import { type Fetcher, startFetching } from "./fetcher.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { POSITION_TIMEOUT_MS, positionsOf } from "./positions.ts";
import { keyOf, type Place } from "./reader.ts";

const MAX_RECORDS = 500;
/** Commits are collected for so long: a lost one costs a redelivery, and one per batch would cost Kafka more than the records do. */
const COMMIT_DELAY_MS = 250;

interface Position {
	topic: string;
	partition: number;
	offset: string;
}

export interface AssignmentOptions extends ConsumeOptions {
	consumer: Consumer;
	admin: Admin;
	/** Opens the connection that fetches. */
	open(): Connection;
	/** Batches that handlers still work on, by partition: they may outlive their assignment. */
	runningBatches: Map<string, Promise<void>>;
	/** Whether this member is still part of the group. */
	isMember(): boolean;
	/** Called once the positions of all its partitions are known. */
	onPositioned(): void;
	/** Called repeatedly while Kafka does not answer. */
	onUnavailable(reason: string): void;
	/** Called when this assignment cannot be served any more. */
	onFailed(error: Error): void;
	logger?: Log;
}

/** The partitions assigned to this member until the next rebalance: their positions, what fetches them, their queues, their commits. */
export class Assignment {
	readonly #options: AssignmentOptions;
	readonly #ended = new AbortController();
	readonly #queues = new Map<string, PartitionQueue>();
	/** Positions that are handled and not committed yet. */
	readonly #handled = new Map<string, Position>();
	#commitTimer: NodeJS.Timeout | undefined;
	#isRevoked = false;
	#fetcher: Fetcher | undefined;

	constructor(assigned: Record<string, number[]>, options: AssignmentOptions) {
		this.#options = options;
		const topics = Object.entries(assigned);
		const positioning = Promise.all(topics.map(([topic, partitions]) => this.#position(topic, partitions)));
		void deadlineIn(POSITION_TIMEOUT_MS)
			.bound(positioning, "Kafka")
			.then(places => {
				if (this.isOver) return;
				this.#fetch(places.flat());
				options.onPositioned();
			}, options.onFailed);
	}

	/** Records not handled yet, per topic. */
	lag() {
		return lagByTopic(this.#queues.values());
	}

	/** Whether Kafka refuses or does not answer what is fetched. */
	get isFailing() {
		return this.#fetcher?.isFailing() ?? false;
	}

	/** Whether no more batches are handled. */
	get isOver() {
		return this.#ended.signal.aborted;
	}

	/** Starts no more handlers, and resolves when none runs; what they handled can still be committed. */
	async finish() {
		this.#ended.abort();
		await Promise.all([...this.#queues.values()].map(({ idle }) => idle));
	}

	/** The partitions are assigned to another member: the results of running handlers are ignored. */
	revoke() {
		this.#isRevoked = true;
		// With the member's next generation Kafka would accept these positions, and another member may have committed newer ones.
		clearTimeout(this.#commitTimer);
		this.#ended.abort();
		for (const [key, { idle }] of this.#queues) this.#options.runningBatches.set(key, idle);
	}

	/** Commits everything handled. Never rejects: a failed commit is repeated with the next one; else its records are redelivered. */
	async commit() {
		const positions = [...this.#handled];
		this.#handled.clear();
		if (positions.length === 0) return;
		try {
			await this.#options.consumer.commitOffsets(positions.map(([, position]) => position));
		} catch (error) {
			const cause = rootCause(error);
			this.#options.logger?.debug(`group ${this.#options.group} could not commit: ${cause.message}`);
			// The group has rebalanced without this member, and kafkajs may not know it yet.
			if (!this.#isRevoked && (cause.type === "UNKNOWN_MEMBER_ID" || cause.type === "ILLEGAL_GENERATION"))
				this.#options.onFailed(cause);
			if (this.#isRevoked) return;
			for (const [key, position] of positions) if (!this.#handled.has(key)) this.#handled.set(key, position);
		}
	}

	#fetch(places: Place[]) {
		const { open, onUnavailable, onFailed } = this.#options;
		this.#fetcher = startFetching({
			open,
			places,
			onRecords: (topic, partition, messages, end) => this.#queues.get(keyOf(topic, partition))!.push(messages, end),
			onError: (error, connection) => {
				// The topic was recreated, or the records there were deleted: another consumer looks up where to continue.
				if (error.type === "OFFSET_OUT_OF_RANGE") onFailed(error);
				else onUnavailable(failureOf(connection, error).message);
			},
			signal: this.#ended.signal
		});
	}

	#commitSoon() {
		this.#commitTimer ??= setTimeout(async () => {
			await this.commit();
			this.#commitTimer = undefined;
			if (this.#handled.size > 0 && !this.#isRevoked) this.#commitSoon();
		}, COMMIT_DELAY_MS);
	}

	async #position(topic: string, partitions: number[]): Promise<Place[]> {
		const { admin, group } = this.#options;
		const positions = await positionsOf(admin, group, topic, partitions, () => this.isOver);
		return positions.map(({ partition, from, end }) => {
			this.#queues.set(keyOf(topic, partition), this.#createQueue(topic, partition, from, end));
			return { topic, partition, offset: from };
		});
	}

	#createQueue(topic: string, partition: number, from: number, endOffset: number) {
		const { handler, maxRecords = MAX_RECORDS, runningBatches, isMember, group, logger } = this.#options;
		const key = keyOf(topic, partition);
		return new PartitionQueue(from, endOffset, {
			topic,
			partition,
			handler,
			maxRecords,
			ended: this.#ended.signal,
			isMember,
			previous: runningBatches.get(key) ?? Promise.resolve(),
			onHandled: offset => {
				if (this.#isRevoked) return;
				this.#handled.set(key, { topic, partition, offset: String(offset) });
				this.#commitSoon();
			},
			onFull: isFull => this.#fetcher?.setPaused(topic, partition, isFull),
			onError: error => logger?.warn(`group ${group}: the handler of ${key} failed`, error)
		});
	}
}
