import { type Cluster, PartitionAssigners } from "kafkajs";
import { waitAtMost, withTimeout } from "../../deadline.ts";
import type { ConsumeOptions } from "../topic-log.ts";
import { Assignment } from "./assignment.ts";
import type { Connection, Log } from "./connection.ts";
import { detectHang } from "./hang-detector.ts";
import { removeMember } from "./stale-members.ts";

/** After so long the group removes a member that was killed, and reassigns its partitions. */
const SESSION_TIMEOUT_MS = 8_000;
const HEARTBEAT_MS = 2_500;
/** How long the group waits for a member to rejoin; every live member does so within a heartbeat. */
const REBALANCE_TIMEOUT_MS = 6_000;
const HANDLERS_TIMEOUT_MS = 5_000;
const LEAVE_TIMEOUT_MS = 2_000;

export interface ConsumerOptions extends ConsumeOptions {
	connection: Connection;
	/** Opens the connections that fetch. */
	open(): Connection;
	/** Batches that handlers still work on, by partition: they may outlive the consumer. */
	runningBatches: Map<string, Promise<void>>;
	/** Ids of members that earlier consumers may have left in the group. */
	staleMembers: Set<string>;
	/** Called whenever the group has confirmed this member. */
	onAlive(): void;
	/** Called whenever it has an assignment whose partitions' positions are known. */
	onPositioned(): void;
	/** Called repeatedly while Kafka does not answer. */
	onUnavailable(reason: string): void;
	logger?: Log;
}

export interface RunningConsumer {
	/** Resolves with the error that ended it. */
	ended: Promise<Error>;
	lag(): Record<string, number>;
	/** Waits for the running handlers, commits, and leaves the group; each within a timeout. */
	stop(): Promise<void>;
}

/**
 * Runs one kafkajs consumer until its first failure. kafkajs itself sends heartbeats and rejoins after a rebalance, and the assignment fetches;
 * everything else ends the consumer, and its supervisor starts another.
 */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
	const { connection, group, topics, staleMembers, onAlive, onUnavailable } = options;
	const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
	let cluster: Cluster | undefined;
	const admin = connection.kafka.admin();
	const consumer = connection.kafka.consumer({
		groupId: group,
		sessionTimeout: SESSION_TIMEOUT_MS,
		// kafkajs skips a heartbeat that is due earlier than this after the last one. With the whole interval, a timer that fires a millisecond early would
		// skip one.
		heartbeatInterval: HEARTBEAT_MS / 2,
		rebalanceTimeout: REBALANCE_TIMEOUT_MS,
		// With every partition paused, kafkajs waits for this long between two heartbeats.
		maxWaitTimeInMs: HEARTBEAT_MS,
		allowAutoTopicCreation: false,
		partitionAssigners: [
			config => {
				cluster = config.cluster;
				return PartitionAssigners.roundRobin(config);
			}
		],
		retry: { restartOnFailure: async () => false }
	});
	let assignment: Assignment | undefined;
	let aliveAtMs = Date.now();
	let isStopping = false;
	const closing = new AbortController();

	const onHeartbeat = () => {
		aliveAtMs = Date.now();
		if (!assignment?.isFailing) onAlive();
	};

	const silentMs = () => Date.now() - aliveAtMs;
	const isMember = () => silentMs() < SESSION_TIMEOUT_MS;
	void detectHang({
		connection,
		admin,
		silentMs,
		sessionTimeoutMs: SESSION_TIMEOUT_MS,
		onUnavailable,
		onHang: end,
		signal: closing.signal
	});

	const revoke = () => {
		assignment?.revoke();
		assignment = undefined;
	};

	const { GROUP_JOIN, HEARTBEAT, REBALANCING, CRASH } = consumer.events;
	consumer.on(HEARTBEAT, onHeartbeat);
	consumer.on(GROUP_JOIN, ({ payload }) => {
		if (closing.signal.aborted) return;
		revoke();
		onHeartbeat();
		staleMembers.clear();
		staleMembers.add(payload.memberId);
		// Handlers that started now would outlive the stop.
		if (isStopping) return;
		// kafkajs would fetch every partition of every topic each time, and send heartbeats only between two fetches.
		consumer.pause(topics.map(topic => ({ topic })));
		assignment = new Assignment(payload.memberAssignment, { ...options, consumer, admin, isMember, onFailed: end });
	});
	consumer.on(REBALANCING, () => {
		// Sent before kafkajs rejoins, so Kafka still accepts it.
		void assignment?.commit();
		revoke();
	});
	consumer.on(CRASH, ({ payload }) => end(payload.error));

	/** Removes this member, and those of earlier consumers. */
	const leave = (timeoutMs: number) =>
		Promise.all([...staleMembers].map(memberId => removeMember(cluster!, group, memberId, timeoutMs)));

	const run = async () => {
		await Promise.all([consumer.connect(), admin.connect()]);
		await consumer.subscribe({ topics, fromBeginning: true });
		await leave(SESSION_TIMEOUT_MS);
		await consumer.run({
			autoCommit: false,
			async eachBatch() {}
		});
	};
	run().catch(end);

	return {
		ended,
		lag: () => assignment?.lag() ?? {},
		async stop() {
			isStopping = true;
			const current = assignment;
			if (current)
				await waitAtMost(
					current.finish().catch(() => {}),
					HANDLERS_TIMEOUT_MS
				);
			const leaveGroup = async () => {
				if (current === assignment) await current?.commit();
				// It would leave the group only after its current wait.
				consumer.disconnect().catch(() => {});
				await leave(LEAVE_TIMEOUT_MS);
			};
			await withTimeout(
				leaveGroup().catch(() => {}),
				LEAVE_TIMEOUT_MS,
				() => {}
			);
			closing.abort();
			revoke();
			connection.cut();
			end(new Error("stopped"));
		}
	};
}
