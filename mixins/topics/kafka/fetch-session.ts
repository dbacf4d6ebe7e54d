/**
 * Incremental fetch requests for kafkajs. Its own requests, and their responses, list all partitions of a consumer every time: with a hundred
 * partitions one record costs two hundred entries to write and to read, on both sides. Kafka can keep a fetch session (KIP-227,
 * https://cwiki.apache.org/confluence/display/KAFKA/KIP-227%3A+Introduce+Incremental+FetchRequests+to+Increase+Partition+Scalability):
 * a request then lists only what has changed, and its response only partitions with records.
 */
import type { Broker, Cluster } from "kafkajs";
import apiKeys from "kafkajs/src/protocol/requests/apiKeys.js";
import { requests } from "kafkajs/src/protocol/requests/index.js";

export interface TopicPartitions {
	topic: string;
	partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
}

export interface SessionRequest {
	sessionId: number;
	sessionEpoch: number;
	topics: TopicPartitions[];
	forgottenTopics: { topic: string; partitions: number[] }[];
}

const NONE = 0;
/** A request with it lists all partitions, ends the session that it names, and starts another. */
const FIRST_EPOCH = 0;
/** The next one is 1. */
const LAST_EPOCH = 2 ** 31 - 1;
const FETCH_SESSION_ID_NOT_FOUND = 70;

const nonEmpty = <T extends { partitions: unknown[] }>(topics: T[]) => topics.filter(({ partitions }) => partitions.length > 0);

/** The fetch session of one consumer with one server, as the client sees it. One request at a time. */
export class FetchSession {
	#id = NONE;
	#epoch = FIRST_EPOCH;
	#requests = 0;
	#known = new Map<string, Map<number, string>>();

	/** The next request: its response then covers all of `wanted`. */
	nextRequest(wanted: TopicPartitions[]): SessionRequest {
		const known = this.#known;
		this.#known = new Map(
			wanted.map(({ topic, partitions }) => [
				topic,
				new Map(partitions.map(({ partition, fetchOffset, maxBytes }) => [partition, `${fetchOffset} ${maxBytes}`]))
			])
		);
		const session = { sessionId: this.#id, sessionEpoch: this.#epoch };
		if (this.#epoch === FIRST_EPOCH) return { ...session, topics: this.#rotate(wanted), forgottenTopics: [] };
		const isChanged = (topic: string, partition: number) =>
			known.get(topic)?.get(partition) !== this.#known.get(topic)!.get(partition);
		const topics = wanted.map(({ topic, partitions }) => ({
			topic,
			partitions: partitions.filter(({ partition }) => isChanged(topic, partition))
		}));
		const forgottenTopics = [...known].map(([topic, partitions]) => ({
			topic,
			partitions: [...partitions.keys()].filter(partition => !this.#known.get(topic)?.has(partition))
		}));
		return { ...session, topics: nonEmpty(topics), forgottenTopics: nonEmpty(forgottenTopics) };
	}

	/**
	 * A response has a size limit and may leave out the last partitions. In a session the server moves partitions that had records to the end; without
	 * one, each request starts with another partition.
	 */
	#rotate(wanted: TopicPartitions[]): TopicPartitions[] {
		const count = this.#requests++;
		const rotated = <T>(list: T[]) => [...list.slice(count % list.length), ...list.slice(0, count % list.length)];
		return rotated(wanted).map(({ topic, partitions }) => ({ topic, partitions: rotated(partitions) }));
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

/** What is used of kafkajs and is not among its types. */
type OpenBroker = Broker & {
	lookupRequest(apiKey: number, definition: unknown): (parameters: object) => unknown;
	connectionPool: { send(request: unknown): Promise<{ errorCode?: number; sessionId?: number }> };
};

/** Makes the fetch requests of this cluster incremental. Each kafkajs consumer has a cluster of its own. */
export function useFetchSessions(cluster: Cluster): void {
	const known = new WeakSet<Broker>();
	const { findBroker } = cluster;

	const useSession = (broker: OpenBroker) => {
		known.add(broker);
		const session = new FetchSession();
		broker.fetch = async request => {
			const next = session.nextRequest((request as unknown as { topics: TopicPartitions[] }).topics);
			try {
				const answer = await broker.connectionPool.send(
					broker.lookupRequest(apiKeys.Fetch, requests.Fetch)({ ...request, ...next })
				);
				session.onResponse(answer);
				return answer;
			} catch (error) {
				session.onFailure();
				// kafkajs itself does this after each request.
				if ((error as Error).name === "KafkaJSConnectionClosedError") await broker.disconnect();
				throw error;
			}
		};
	};

	cluster.findBroker = async node => {
		const broker = await findBroker.call(cluster, node);
		if (!known.has(broker)) useSession(broker as OpenBroker);
		return broker;
	};
}
