/**
 * Moleculer's packets over Kafka, through kafkajs: every node hears its own topic and one that all share, each from its end.
 *
 *     const broker = new ServiceBroker({
 *         namespace: "shop",               // without a dot
 *         nodeID: "wallet-1",              // fixed: a node has a topic of its own, and nothing removes it
 *         transporter: new KafkaTransporter({ brokers: ["localhost:9092"], replication: 3, advice: "start it, or set KAFKA_BROKERS" })
 *     });
 *     await broker.start();                // waits for Kafka for as long as it takes
 *     await broker.call("other.action");   // Kafka away: rejects at once, or after 5 s at most; goes on when it is back
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "kafkajs";
import { Transporters } from "moleculer";
import { waitUntilReachable } from "./dependency.ts";
import { type Connection, type KafkaOptions, kafkaConnection, rootCause } from "./topics/kafka/connection.ts";
import { kafkaLog } from "./topics/kafka/kafka-log.ts";
import { byLeader, clusterOf, fetchFrom, type Place } from "./topics/kafka/reader.ts";
import type { TopicLog } from "./topics/topic-log.ts";

export interface KafkaTransporterOptions extends Pick<KafkaOptions, "brokers" | "tls" | "sasl"> {
	/** Copies of each topic. */
	replication: number;
	/** What a person can do when Kafka does not answer. */
	advice: string;
}

/** A call lives for seconds: what is older no node waits for. */
const RETENTION_MS = 60_000;
/** The largest packet. */
const MAX_BYTES = 8 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** What Moleculer says of a packet beside its bytes. */
interface Sent {
	type: string;
	/** Without one it is for all nodes. */
	target?: string;
}

export class KafkaTransporter extends Transporters.Base {
	readonly #options: KafkaTransporterOptions;
	#stopping = new AbortController();
	#log: TopicLog | undefined;
	#connection: Connection | undefined;

	constructor(options: KafkaTransporterOptions) {
		// Moleculer keeps what it is given where anybody who asks for the broker's options sees it.
		super();
		this.#options = options;
	}

	/** The topic that this node alone hears, or the one that all hear. */
	#topicOf(nodeID?: string) {
		return nodeID ? `${this.prefix}.${nodeID}` : this.prefix;
	}

	#kafka() {
		const { brokers, tls, sasl } = this.#options;
		return { brokers, tls, sasl, clientId: this.nodeID, logger: this.logger };
	}

	/** Waits until Kafka answers, however long that takes. */
	override async connect() {
		const { brokers, replication, advice } = this.#options;
		// Moleculer calls again after a failure, wherever that came from.
		this.#stopping.abort();
		this.#stopping = new AbortController();
		const { signal } = this.#stopping;
		this.#log ??= kafkaLog({ ...this.#kafka(), replication });
		const log = this.#log;
		const kafka = { name: "kafka", where: brokers.join(), advice, access: "KAFKA_USERNAME and KAFKA_PASSWORD", check: log.check };
		if (!(await waitUntilReachable(kafka, this.logger, () => signal.aborted))) return;
		const topic = { partitions: 1, retentionMs: RETENTION_MS, maxBytes: MAX_BYTES };
		await log.create([this.#topicOf(), this.#topicOf(this.nodeID)].map(name => ({ name, ...topic })));
		await this.onConnected();
	}

	/** Resolves once the node hears; both topics carry every kind of packet. */
	override makeSubscriptions() {
		return new Promise<void>(resolve => void this.#listen(resolve));
	}

	/** Hears until the node stops. After a loss it goes on where it was, tells the others of itself and asks who is there. */
	async #listen(hearing: () => void) {
		const { signal } = this.#stopping;
		let places: Place[] = [];
		let pauseMs = FIRST_PAUSE_MS;
		let isHearing = false;
		while (!signal.aborted) {
			try {
				const cluster = await this.#reconnect();
				if (places.length === 0) places = await this.#ends(cluster);
				const led = [...(await byLeader(cluster, places))];
				// A Kafka that has just started may know who leads and still not serve: what counts is that it has answered.
				await Promise.all(led.map(([nodeId, its]) => this.#hear(cluster, nodeId, its, 0)));
				hearing();
				isHearing = true;
				pauseMs = FIRST_PAUSE_MS;
				const hears = led.map(async ([nodeId, its]) => {
					for (;;) await this.#hear(cluster, nodeId, its, FETCH_WAIT_MS);
				});
				await Promise.all([...hears, this.connected || this.onConnected(true)]);
			} catch (error) {
				const cause = rootCause(error);
				if (cause.type === "OFFSET_OUT_OF_RANGE") places = [];
				// Topics that were just made take a moment: what was not heard yet is not lost.
				if (isHearing && !signal.aborted) this.#lost(cause);
				isHearing = false;
				await delay(pauseMs, undefined, { signal }).catch(() => {});
				pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
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

	/** From now on: what was sent before is none of this node's business. */
	async #ends(cluster: Cluster): Promise<Place[]> {
		const topics = [this.#topicOf(), this.#topicOf(this.nodeID)];
		await cluster.addMultipleTargetTopics(topics);
		const ends = await cluster.fetchTopicsOffset(
			topics.map(topic => ({ topic, partitions: [{ partition: 0 }], fromBeginning: false }))
		);
		return ends.map(({ topic, partitions }) => ({ topic, partition: 0, offset: Number(partitions[0]!.offset) }));
	}

	/** Takes in what there is; waits for it if there is nothing. */
	async #hear(cluster: Cluster, nodeId: string, places: Place[], waitMs: number) {
		for (const { place, messages } of await fetchFrom(cluster, nodeId, places, waitMs)) {
			for (const { offset, headers, value } of messages) {
				place.offset = Number(offset) + 1;
				if (value) void this.receive(String(headers?.packet), value);
			}
		}
	}

	#lost({ message }: Error) {
		this.connected = false;
		this.logger.warn(`Kafka is lost (${message}): calls to other nodes fail until it is back`);
		// Stops the heartbeats: a node that cannot be heard is not gone.
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

	// Never called: that Kafka should choose among the nodes of a service is not asked for (hasBuiltInBalancer).
	override async subscribe() {}
	override async subscribeBalancedRequest() {}
	override async subscribeBalancedEvent() {}
}
