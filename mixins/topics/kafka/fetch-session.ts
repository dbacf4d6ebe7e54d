/**
 * Incremental fetch requests for kafkajs. Its own requests, and their responses, list all partitions of a consumer every time: with a hundred
 * partitions one record costs two hundred entries to write and to read, on both sides. Kafka can keep a fetch session (KIP-227,
 * https://cwiki.apache.org/confluence/display/KAFKA/KIP-227%3A+Introduce+Incremental+FetchRequests+to+Increase+Partition+Scalability):
 * a request then lists only what has changed, and its response only partitions with records.
 */
import type { Broker } from "kafkajs";
import type { PartitionData } from "kafkajs/src/consumer/batch.js";
import apiKeys from "kafkajs/src/protocol/requests/apiKeys.js";
import { requests } from "kafkajs/src/protocol/requests/index.js";
import type { Place } from "./reader.ts";

export interface SessionRequest {
	sessionId: number;
	sessionEpoch: number;
	topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
	forgottenTopics: { topic: string; partitions: number[] }[];
}

const NONE = 0;
/** A request with it lists all partitions, ends the session that it names, and starts another. */
const FIRST_EPOCH = 0;
/** The next one is 1. */
const LAST_EPOCH = 2 ** 31 - 1;
const FETCH_SESSION_ID_NOT_FOUND = 70;

const PARTITION_BYTES = 512 * 1024;
const RESPONSE_BYTES = 10 * 1024 * 1024;

const byTopic = <P extends { topic: string }, T>(places: P[], entryOf: (place: P) => T) =>
	[...Map.groupBy(places, ({ topic }) => topic)].map(([topic, its]) => ({ topic, partitions: its.map(entryOf) }));

/** The fetch session of one consumer with one server, as the client sees it. One request at a time. */
export class FetchSession {
	#id = NONE;
	#epoch = FIRST_EPOCH;
	#requests = 0;
	/** The offsets that the server knows, by topic and partition. */
	#known = new Map<string, Map<number, number>>();

	/** The next request: its response then covers all of `wanted`. */
	nextRequest(wanted: Place[]): SessionRequest {
		const isFirst = this.#epoch === FIRST_EPOCH;
		if (isFirst) this.#known.clear();
		const changed = isFirst
			? this.#rotate(wanted)
			: wanted.filter(place => this.#known.get(place.topic)?.get(place.partition) !== place.offset);
		for (const { topic, partition, offset } of changed) {
			if (!this.#known.has(topic)) this.#known.set(topic, new Map());
			this.#known.get(topic)!.set(partition, offset);
		}
		return {
			sessionId: this.#id,
			sessionEpoch: this.#epoch,
			topics: byTopic(changed, ({ partition, offset }) => ({
				partition,
				fetchOffset: String(offset),
				maxBytes: PARTITION_BYTES
			})),
			forgottenTopics: byTopic(this.#forget(wanted), ({ partition }) => partition)
		};
	}

	/** Removes what is known and not wanted any more. */
	#forget(wanted: Place[]) {
		let count = 0;
		for (const partitions of this.#known.values()) count += partitions.size;
		if (count === wanted.length) return [];
		const kept = new Set(wanted.map(({ topic, partition }) => `${topic}/${partition}`));
		const forgotten = [...this.#known].flatMap(([topic, partitions]) =>
			[...partitions.keys()].filter(partition => !kept.has(`${topic}/${partition}`)).map(partition => ({ topic, partition }))
		);
		for (const { topic, partition } of forgotten) this.#known.get(topic)!.delete(partition);
		return forgotten;
	}

	/**
	 * A response has a size limit and may leave out the last partitions. In a session the server moves partitions that had records to the end; without
	 * one, each request starts with another partition.
	 */
	#rotate(wanted: Place[]): Place[] {
		const first = this.#requests++ % wanted.length;
		return [...wanted.slice(first), ...wanted.slice(0, first)];
	}

	/** Processes what a response says of the session; Kafka before 1.1 says nothing. */
	onResponse({ errorCode = 0, sessionId = NONE }: { errorCode?: number; sessionId?: number }) {
		if (errorCode === FETCH_SESSION_ID_NOT_FOUND) this.#id = NONE;
		else if (errorCode === 0) this.#id = sessionId;
		if (errorCode !== 0 || this.#id === NONE) this.onFailure();
		else this.#epoch = this.#epoch === LAST_EPOCH ? 1 : this.#epoch + 1;
	}

	/** It is unknown whether the server got the last request: the next one starts a new session. */
	onFailure() {
		this.#epoch = FIRST_EPOCH;
	}
}

/** What a fetch response has of one topic. */
export interface FetchedTopic {
	topicName: string;
	partitions: PartitionData[];
}

/** What is used of kafkajs and is not among its types. */
type OpenBroker = Broker & {
	lookupRequest(apiKey: number, definition: unknown): (parameters: object) => unknown;
	connectionPool: { send(request: unknown): Promise<{ errorCode?: number; sessionId?: number; responses: FetchedTopic[] }> };
};

/** Fetches from one server in a session; waits up to `waitMs` when there are no records. Rejects when one of the partitions cannot be fetched. */
export async function fetchIn(session: FetchSession, broker: Broker, wanted: Place[], waitMs: number): Promise<FetchedTopic[]> {
	const { lookupRequest, connectionPool } = broker as OpenBroker;
	const request = { ...session.nextRequest(wanted), maxWaitTime: waitMs, minBytes: 1, maxBytes: RESPONSE_BYTES, rackId: "" };
	try {
		const response = await connectionPool.send(lookupRequest(apiKeys.Fetch, requests.Fetch)(request));
		session.onResponse(response);
		return response.responses;
	} catch (error) {
		session.onFailure();
		throw error;
	}
}
