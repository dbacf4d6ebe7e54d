// The drivers of the process, by profile: embedded or cluster. Only this file and the wiring of the services (*.service.ts) know the profiles.
// Each driver is one instance per process, and connects when the first service that needs it starts.

import type { ServiceBroker, ServiceSchema } from "moleculer";
import { type Cassandra, openCassandra } from "../mixins/cassandra.ts";
import { type Database, openPostgres } from "../mixins/database/database.ts";
import { openEmbedded } from "../mixins/database/embedded.ts";
import { redisLimits } from "../mixins/limits/limits.redis.ts";
import { type Limits, memoryLimits } from "../mixins/limits/limits.ts";
import { type Outbox, outbox } from "../mixins/outbox/outbox.ts";
import { relay } from "../mixins/outbox/relay.ts";
import { openRedis, type Redis } from "../mixins/redis.ts";
import { embeddedLog } from "../mixins/topics/embedded/embedded-log.ts";
import { kafkaLog } from "../mixins/topics/kafka/kafka-log.ts";
import type { TopicLog } from "../mixins/topics/topic-log.ts";
import { topics as topicsMixin, withLog } from "../mixins/topics/topics.ts";
import { topics } from "../services/contract.ts";
import { advice } from "./advice.ts";
import { config } from "./config.ts";
import { exitWithError } from "./exit-with-error.ts";
import { trustedProxies } from "./http/client-address.ts";
import { type Connections, createConnections } from "./http/connections.ts";
import { lowLimitWarning } from "./http/low-limit.ts";
import { loneGateway } from "./lone-gateway.ts";
import { nodesRunning } from "./node-metadata.ts";
import { maxConnections } from "./open-files.ts";

const lazy = <T>(open: () => T) => {
	let opened: T | undefined;
	return (): T => (opened ??= open());
};

export const embedded = config.profile === "embedded";

let isClientOnly = false;
/** Call before loading services in a process that only calls actions, such as a command: its services then consume, relay and listen to nothing. */
export const useClientOnly = () => {
	isClientOnly = true;
};

/** Whether this node runs the service (consumes topics, relays, listens); otherwise it only has its actions, for local calls. */
export const runsService = (service: string) => !isClientOnly && config.services.includes(service);

export const postgres = lazy(
	(): Database =>
		embedded
			? openEmbedded(config.dataDir, { label: `DATA_DIR=${config.dataDir}` })
			: openPostgres(config.databaseUrl, advice.postgres)
);

/** Cluster only. */
export const cassandra = lazy(
	(): Cassandra =>
		openCassandra({
			contactPoints: config.cassandraContactPoints,
			keyspace: "plaza",
			tls: config.cassandraTls,
			credentials: config.cassandraCredentials,
			...advice.cassandra
		})
);

/** Cluster only. */
export const redis = lazy((): Redis => openRedis(config.redisUrl, advice.redis));

/** Rate limits of sign-ins; in the cluster profile all nodes count together, and a restart resets nothing. */
export const limits = lazy((): Limits => (embedded ? memoryLimits() : redisLimits(redis())));

/** Whether this node is the only gateway; then only this node counts requests. */
export const onlyGateway = loneGateway();

/** Rate limits of requests; in the cluster profile all gateways count together, and an only gateway counts in its own memory. */
export const requestLimits = lazy((): Limits => (embedded ? memoryLimits() : redisLimits(redis(), onlyGateway)));

/** The connections of clients to this process, counted together for all its listeners. */
export const connections = lazy((): Connections => {
	const limits = { maxPerAddress: config.maxSocketsPerAddress, maxTotal: maxConnections() };
	const warning = lowLimitWarning(limits);
	if (warning) console.warn(warning);
	return createConnections({ ...limits, isTrusted: trustedProxies(config.trustedProxies) });
});

/** Cluster only: the Kafka connection, for topics and for the transporter. */
export const kafka = {
	brokers: config.kafkaBrokers,
	replication: config.topicReplication,
	tls: config.kafkaTls,
	sasl: config.kafkaSasl,
	advice: "start it, or set KAFKA_BROKERS",
	access: "KAFKA_USERNAME and KAFKA_PASSWORD"
};

export const topicLog = lazy(
	(): TopicLog =>
		embedded ? embeddedLog(postgres().knex, { where: config.dataDir }) : kafkaLog({ ...kafka, clientId: config.nodeID })
);

/** Ends the process: if the topics are not as configured, the node can neither publish nor consume correctly. */
const onFatal = ({ message, type, data }: Error & { type?: string; data?: { has: number } }) =>
	exitWithError(type === "TOPIC_PARTITIONS" ? `${message}: set TOPIC_PARTITIONS=${data?.has}` : message);

const topicsOptions = () => ({
	contracts: topics,
	partitions: config.topicPartitions,
	consumes: runsService,
	publishesDeadLetters: (broker: ServiceBroker, service: string) => nodesRunning(broker, service).sort()[0] === broker.nodeID,
	usesLogAtStart: !isClientOnly,
	metricsPrefix: "plaza",
	onFatal
});

/** Mixin: `topics: {…}` in the schema consumes, `this.publish` publishes. */
export const withTopics = () => topicsMixin(topicLog(), topicsOptions());

/** Mixin: for a service that uses `topicLog()` itself. */
export const withTopicLog = () => withLog(topicLog());

const outboxes = new Map<string, Outbox>();

interface OutboxOptions {
	/** As given to `createOutbox` in the service's migrations. */
	table?: string;
	/** See mixins/outbox/outbox.ts. */
	proves?: readonly string[];
}

/** The outbox of a service: one instance for all services of the process. */
export function outboxOf(service: string, { table = `${service}_outbox`, proves }: OutboxOptions = {}): Outbox {
	const box = outboxes.get(table) ?? outbox(postgres().knex, { contracts: topics, table, proves });
	outboxes.set(table, box);
	return box;
}

/** The outbox of a service, and the mixin `relay` that publishes its messages; put it before `database(…)`, whose migrations create the tables. */
export function withOutbox(service: string, options: OutboxOptions = {}): { outbox: Outbox; relay: Partial<ServiceSchema> } {
	const box = outboxOf(service, options);
	// Embedded, every commit happens in this process and wakes the relay. It polls only in case that this failed, and needs no lease.
	const pollMs = embedded ? { least: 250, most: 5_000 } : undefined;
	return { outbox: box, relay: relay(box, topicLog(), { runsService, pollMs, isAlone: embedded, metricsPrefix: "plaza" }) };
}
