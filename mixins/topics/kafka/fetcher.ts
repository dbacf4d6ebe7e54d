import type { Cluster, KafkaMessage } from "kafkajs";
import Batch, { type PartitionData } from "kafkajs/src/consumer/batch.js";
import { createBackoff } from "../../backoff.ts";
import { type Connection, rootCause } from "./connection.ts";
import { FetchSession, fetchIn } from "./fetch-session.ts";
import { clusterOf, groupByLeader, type Place } from "./reader.ts";

// Kafka responds as soon as there is a record, and an abort ends the wait: this only limits how often an idle consumer asks.
const FETCH_WAIT_MS = 5_000;
/** While some partitions are paused: a resumed one is not part of the fetch that waits. */
const FETCH_WAIT_BESIDE_PAUSED_MS = 100;
const BACKOFF = { firstMs: 50, longestMs: 1_000 };

export interface FetcherOptions {
	open(): Connection;
	/** Where to start; each partition once. */
	places: Place[];
	/** Takes records of one partition, in offset order and never none; `end` is the end of the partition. */
	onRecords(topic: string, partition: number, messages: KafkaMessage[], end: number): void;
	/** Called after each failed attempt; another one follows. An error of type `OFFSET_OUT_OF_RANGE` does not pass by itself. */
	onError(error: Error & { type?: string }, connection: Connection): void;
	/** Called after each response, once all servers have responded since the last start or failure. */
	onServed?(): void;
	/** Its abort ends fetching at once. */
	signal: AbortSignal;
}

export interface Fetcher {
	/** Whether the last attempt failed. */
	isFailing(): boolean;
	/** Pauses or resumes fetching a partition. */
	setPaused(topic: string, partition: number, isPaused: boolean): void;
}

/**
 * Fetches partitions from the servers that lead them. It has a connection of its own, because Kafka answers the requests of a connection in turn, and
 * whatever follows a fetch would wait for it. After a failure it connects again and continues where it was.
 */
export function startFetching({ open, places, onRecords, onError, onServed, signal }: FetcherOptions): Fetcher {
	const positions = places.map(place => ({ ...place, isPaused: false }));
	const positionOf = (topic: string, partition: number) =>
		positions.find(one => one.partition === partition && one.topic === topic);
	const backoff = createBackoff(BACKOFF);
	let isFailing = false;
	let current: Connection | undefined;
	let resumed = Promise.withResolvers<void>();

	const wake = () => {
		resumed.resolve();
		resumed = Promise.withResolvers();
	};
	const endAttempt = () => {
		current?.cut();
		current = undefined;
		wake();
	};

	const waitMsFor = (its: typeof positions) =>
		its.some(({ isPaused }) => isPaused) ? FETCH_WAIT_BESIDE_PAUSED_MS : FETCH_WAIT_MS;

	/** Fetches what one server leads until the attempt ends. */
	const fetchFromLeader = async (
		connection: Connection,
		cluster: Cluster,
		nodeId: string,
		its: typeof positions,
		onAnswer: () => void
	) => {
		const session = new FetchSession();
		// The first response comes at once: it shows that the server serves these partitions.
		let waitMs = 0;
		while (current === connection) {
			const wanted = its.filter(({ isPaused }) => !isPaused);
			if (wanted.length === 0) {
				// There is nothing to fetch that could fail.
				onAnswer();
				await resumed.promise;
				continue;
			}
			const fetched = await fetchIn(session, await cluster.findBroker({ nodeId }), wanted, waitMs);
			// Another attempt may have fetched the same records.
			if (current !== connection) return;
			onAnswer();
			for (const { topicName, partitions } of fetched)
				for (const data of partitions) if (data.messages.length > 0) deliver(topicName, data);
			waitMs = waitMsFor(its);
		}
	};

	/** Some records are never passed on: those before the position (Kafka responds with whole batches), and those of aborted transactions. */
	const deliver = (topic: string, data: PartitionData) => {
		const position = positionOf(topic, data.partition)!;
		const batch = new Batch(topic, String(position.offset), data);
		position.offset = Number(batch.lastOffset()) + 1;
		if (batch.messages.length > 0) onRecords(topic, data.partition, batch.messages, Number(batch.highWatermark));
	};

	const run = async () => {
		while (!signal.aborted) {
			const connection = open();
			current = connection;
			try {
				const cluster = clusterOf(connection);
				await cluster.connect();
				const byLeader = await groupByLeader(cluster, positions);
				const answered = new Set<string>();
				// One server that answers says nothing about another one that fails again and again.
				const onAnswerOf = (nodeId: string) => () => {
					answered.add(nodeId);
					if (answered.size < byLeader.size) return;
					isFailing = false;
					backoff.reset();
					onServed?.();
				};
				await Promise.all(
					[...byLeader].map(([nodeId, its]) => fetchFromLeader(connection, cluster, nodeId, its, onAnswerOf(nodeId)))
				);
			} catch (error) {
				if (signal.aborted) break;
				isFailing = true;
				onError(rootCause(error), connection);
				// Meanwhile the other servers deliver; then the leaders are looked up again.
				await backoff.pause(signal);
			}
			endAttempt();
		}
	};
	signal.addEventListener("abort", endAttempt, { once: true });
	if (positions.length > 0) void run();

	return {
		isFailing: () => isFailing,
		setPaused(topic, partition, isPaused) {
			const position = positionOf(topic, partition);
			if (!position) return;
			position.isPaused = isPaused;
			wake();
		}
	};
}
