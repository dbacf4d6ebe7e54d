/**
 * A Moleculer transporter on Kafka, through kafkajs: every node consumes its own topic and one that all share, each from its end.
 *
 *     const broker = new ServiceBroker({
 *         namespace: "shop",               // without a dot
 *         nodeID: "wallet-1",              // fixed: each node has a topic of its own, and nothing deletes it
 *         transporter: new KafkaTransporter({ brokers: ["localhost:9092"], replication: 3 })
 *     });
 *     await broker.start();                // waits for Kafka, without a limit
 *     await broker.call("other.action");   // Kafka unavailable: rejects at once, or after 5 s at most; works again when it is back
 */
import type { Cluster } from "kafkajs";
import { Transporters } from "moleculer";
import { createBackoff } from "./backoff.ts";
import { waitUntilReachable } from "./dependency.ts";
import { type Connection, type KafkaOptions, kafkaConnection, rootCause } from "./topics/kafka/connection.ts";
import { kafkaLog } from "./topics/kafka/kafka-log.ts";
import { clusterOf, fetchFrom, groupByLeader, type Place } from "./topics/kafka/reader.ts";
import type { TopicLog } from "./topics/topic-log.ts";

export interface KafkaTransporterOptions extends Pick<KafkaOptions, "brokers" | "tls" | "sasl"> {
	/** Copies of each topic. */
	replication: number;
	/** What to do when Kafka does not answer, for log lines. */
	advice?: string;
	/** What to set when Kafka refuses the credentials, for log lines. */
	access?: string;
}

/** A call ends within seconds: no node waits for older packets. */
const RETENTION_MS = 60_000;
/** The largest packet. */
const MAX_BYTES = 8 * 1024 * 1024;
// Kafka responds as soon as there is a packet, and stopping cuts the connection.
const FETCH_WAIT_MS = 5_000;
const BACKOFF = { firstMs: 100, longestMs: 1_000 };

/** What Moleculer passes of a packet beside its bytes. */
interface Sent {
	type: string;
	/** A node; without it the packet is for all nodes. */
	target?: string;
}

export class KafkaTransporter extends Transporters.Base {
	readonly #options: KafkaTransporterOptions;
	#stopping = new AbortController();
	#log: TopicLog | undefined;
	#connection: Connection | undefined;

	constructor(options: KafkaTransporterOptions) {
		// Options passed to Moleculer are readable in the broker's options: the credentials must not be.
		super();
		this.#options = options;
	}

	/** The topic of one node, or the one that all nodes consume. */
	#topicOf(nodeID?: string) {
		return nodeID ? `${this.prefix}.${nodeID}` : this.prefix;
	}

	#kafka() {
		const { brokers, tls, sasl } = this.#options;
		return { brokers, tls, sasl, clientId: this.nodeID, logger: this.logger };
	}

	/** Waits until Kafka answers, without a limit. */
	override async connect() {
		const { replication, advice, access } = this.#options;
		// Moleculer calls this again after any failure.
		this.#stopping.abort();
		this.#stopping = new AbortController();
		const { signal } = this.#stopping;
		this.#log ??= kafkaLog({ ...this.#kafka(), replication, advice, access });
		const log = this.#log;
		const kafka = { ...log.description!, check: log.check };
		const topic = { partitions: 1, retentionMs: RETENTION_MS, maxBytes: MAX_BYTES };
		const create = () => log.create([this.#topicOf(), this.#topicOf(this.nodeID)].map(name => ({ name, ...topic })));
		if (await waitUntilReachable(kafka, this.logger, () => signal.aborted, create)) await this.onConnected();
	}

	/** Resolves once the node consumes; both topics carry every type of packet. */
	override makeSubscriptions() {
		return new Promise<void>(resolve => void this.#consume(resolve));
	}

	/** Consumes until the node stops. After a lost connection it continues at its position, and Moleculer announces the node again. */
	async #consume(onConsuming: () => void) {
		const { signal } = this.#stopping;
		const backoff = createBackoff(BACKOFF);
		let places: Place[] = [];
		let isConsuming = false;
		while (!signal.aborted) {
			try {
				const cluster = await this.#reconnect();
				if (places.length === 0) places = await this.#ends(cluster);
				const byLeader = [...(await groupByLeader(cluster, places))];
				// A Kafka that has just started may know the leaders and not serve yet: only a response counts.
				await Promise.all(byLeader.map(([nodeId, its]) => this.#receiveFrom(cluster, nodeId, its, 0)));
				onConsuming();
				isConsuming = true;
				backoff.reset();
				const consuming = byLeader.map(async ([nodeId, its]) => {
					for (;;) await this.#receiveFrom(cluster, nodeId, its, FETCH_WAIT_MS);
				});
				await Promise.all([...consuming, this.connected || this.onConnected(true)]);
			} catch (error) {
				const cause = rootCause(error);
				if (cause.type === "OFFSET_OUT_OF_RANGE") places = [];
				// Before the first response nothing is lost: new topics take a moment.
				if (isConsuming && !signal.aborted) this.#onConnectionLost(cause);
				isConsuming = false;
				await backoff.pause(signal);
			}
		}
	}

	async #reconnect() {
		this.#connection?.cut();
		this.#connection = kafkaConnection(this.#kafka());
		const cluster = clusterOf(this.#connection);
		await cluster.connect();
		return cluster;
	}

	/** The ends of both topics: earlier packets are not for this start of the node. */
	async #ends(cluster: Cluster): Promise<Place[]> {
		const topics = [this.#topicOf(), this.#topicOf(this.nodeID)];
		await cluster.addMultipleTargetTopics(topics);
		const ends = await cluster.fetchTopicsOffset(
			topics.map(topic => ({ topic, partitions: [{ partition: 0 }], fromBeginning: false }))
		);
		return ends.map(({ topic, partitions }) => ({ topic, partition: 0, offset: Number(partitions[0]!.offset) }));
	}

	/** Receives the packets at these places; waits up to `waitMs` when there are none. */
	async #receiveFrom(cluster: Cluster, nodeId: string, places: Place[], waitMs: number) {
		for (const { place, messages } of await fetchFrom(cluster, nodeId, places, waitMs)) {
			for (const { offset, headers, value } of messages) {
				place.offset = Number(offset) + 1;
				if (value) void this.receive(String(headers?.packet), value);
			}
		}
	}

	#onConnectionLost({ message }: Error) {
		this.connected = false;
		this.logger.warn(`lost the connection to Kafka (${message}): calls to other nodes fail until it is back; reconnecting`);
		// Moleculer then stops checking heartbeats: other nodes are not gone because this one cannot receive.
		this.broker.broadcastLocal("$transporter.disconnected", { graceFul: false });
	}

	override async send(_topic: string, data: Buffer, { packet }: { packet: Sent }) {
		const topic = this.#topicOf(packet.target);
		await this.#log?.append([{ topic, key: null, value: data, headers: { packet: packet.type }, partition: 0 }]);
	}

	override async disconnect() {
		this.connected = false;
		this.#stopping.abort();
		this.#connection?.cut();
		await this.#log?.close();
		this.#log = undefined;
	}

	// Never called: this transporter does not balance calls over nodes (hasBuiltInBalancer is false).
	override async subscribe() {}
	override async subscribeBalancedRequest() {}
	override async subscribeBalancedEvent() {}
}
