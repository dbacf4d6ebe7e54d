/**
 * Incremental fetches for kafkajs, which asks for all partitions of a consumer anew with every request, and is answered for all of them: with a hundred
 * partitions one record costs two hundred entries to write and to read, on both sides. Kafka can remember what was asked for (KIP-227,
 * https://cwiki.apache.org/confluence/display/KAFKA/KIP-227%3A+Introduce+Incremental+FetchRequests+to+Increase+Partition+Scalability):
 * a request then names what has changed, and its answer holds what has something to say.
 */
import type { Broker, Cluster } from "kafkajs";
import apiKeys from "kafkajs/src/protocol/requests/apiKeys.js";
import { requests } from "kafkajs/src/protocol/requests/index.js";

export interface Wanted {
	topic: string;
	partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
}

export interface Asked {
	sessionId: number;
	sessionEpoch: number;
	topics: Wanted[];
	forgottenTopics: { topic: string; partitions: number[] }[];
}

const NONE = 0;
/** With it a request names all it wants, ends the session it names, and begins another. */
const FIRST_EPOCH = 0;
/** After it comes 1. */
const LAST_EPOCH = 2 ** 31 - 1;
const FETCH_SESSION_ID_NOT_FOUND = 70;

const some = <T extends { partitions: unknown[] }>(topics: T[]) => topics.filter(({ partitions }) => partitions.length > 0);

/** What one server remembers of one consumer's requests. One request at a time. */
export class FetchSession {
	#id = NONE;
	#epoch = FIRST_EPOCH;
	#turn = 0;
	#known = new Map<string, Map<number, string>>();

	/** What to ask, so that the answer is about all that is wanted. */
	ask(wanted: Wanted[]): Asked {
		const known = this.#known;
		this.#known = new Map(
			wanted.map(({ topic, partitions }) => [
				topic,
				new Map(partitions.map(({ partition, fetchOffset, maxBytes }) => [partition, `${fetchOffset} ${maxBytes}`]))
			])
		);
		const session = { sessionId: this.#id, sessionEpoch: this.#epoch };
		if (this.#epoch === FIRST_EPOCH) return { ...session, topics: this.#byTurns(wanted), forgottenTopics: [] };
		const isNews = (topic: string, partition: number) =>
			known.get(topic)?.get(partition) !== this.#known.get(topic)!.get(partition);
		const topics = wanted.map(({ topic, partitions }) => ({
			topic,
			partitions: partitions.filter(({ partition }) => isNews(topic, partition))
		}));
		const forgottenTopics = [...known].map(([topic, partitions]) => ({
			topic,
			partitions: [...partitions.keys()].filter(partition => !this.#known.get(topic)?.has(partition))
		}));
		return { ...session, topics: some(topics), forgottenTopics: some(forgottenTopics) };
	}

	/**
	 * An answer has room for so much, and whoever stands behind may be left out. In a session the server puts those back who had something; a server that keeps
	 * none is asked for another one first each time.
	 */
	#byTurns(wanted: Wanted[]): Wanted[] {
		const turn = this.#turn++;
		const rotated = <T>(list: T[]) => [...list.slice(turn % list.length), ...list.slice(0, turn % list.length)];
		return rotated(wanted).map(({ topic, partitions }) => ({ topic, partitions: rotated(partitions) }));
	}

	/** Takes in what the server said of the session; one older than Kafka 1.1 says nothing. */
	answered({ errorCode = 0, sessionId = NONE }: { errorCode?: number; sessionId?: number }) {
		if (errorCode === FETCH_SESSION_ID_NOT_FOUND) this.#id = NONE;
		else if (errorCode === 0) this.#id = sessionId;
		if (errorCode !== 0 || this.#id === NONE) this.failed();
		else this.#epoch = this.#epoch === LAST_EPOCH ? 1 : this.#epoch + 1;
	}

	/** Nobody knows whether the server has heard the last request: the next one begins anew. */
	failed() {
		this.#epoch = FIRST_EPOCH;
	}
}

/** What is used here of kafkajs and stands in no types of its own. */
type OpenBroker = Broker & {
	lookupRequest(apiKey: number, definition: unknown): (parameters: object) => unknown;
	connectionPool: { send(request: unknown): Promise<{ errorCode?: number; sessionId?: number }> };
};

/** From now on fetches of whoever uses this cluster are incremental. One consumer a cluster, as kafkajs has it. */
export function keepFetchSessions(cluster: Cluster): void {
	const kept = new WeakSet<Broker>();
	const { findBroker } = cluster;

	const keep = (broker: OpenBroker) => {
		kept.add(broker);
		const session = new FetchSession();
		broker.fetch = async request => {
			const asked = session.ask((request as unknown as { topics: Wanted[] }).topics);
			try {
				const answer = await broker.connectionPool.send(
					broker.lookupRequest(apiKeys.Fetch, requests.Fetch)({ ...request, ...asked })
				);
				session.answered(answer);
				return answer;
			} catch (error) {
				session.failed();
				// As kafkajs itself does after each request.
				if ((error as Error).name === "KafkaJSConnectionClosedError") await broker.disconnect();
				throw error;
			}
		};
	};

	cluster.findBroker = async node => {
		const broker = await findBroker.call(cluster, node);
		if (!kept.has(broker)) keep(broker as OpenBroker);
		return broker;
	};
}
