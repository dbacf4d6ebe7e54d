import { setTimeout as delay } from "node:timers/promises";
import { type Broker, type Cluster, PartitionAssigners } from "kafkajs";
import type { ConsumeOptions } from "../topic-log.ts";
import { Assignment } from "./assignment.ts";
import { type Connection, failureOf, type Log, rootCause, within } from "./connection.ts";
import { keepFetchSessions } from "./fetch-session.ts";

/** A member that was killed is missed after so long, and its partitions move. */
const SESSION_TIMEOUT_MS = 8_000;
const HEARTBEAT_MS = 2_000;
/** How long the group waits for a member to join again; every live member does so within a heartbeat. */
const REBALANCE_TIMEOUT_MS = 6_000;
// An answer comes as soon as there is a record: this bounds how long a partition that was paused, or a stop, waits for the fetch under way.
const FETCH_WAIT_MS = 250;
const PARTITION_BYTES = 512 * 1024;
const SILENT_MS = 10_000;
/** Kafka may be well and only these connections dead, which no retry on them finds out: a cable was pulled, a firewall forgot them. */
const UNANSWERED_MS = 20_000;
const WATCH_EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 3_000;
const HANDLERS_END_WITHIN_MS = 5_000;
const LEAVE_WITHIN_MS = 2_000;
const AGAIN_AFTER_MS = 100;

export interface SessionOptions extends ConsumeOptions {
	connection: Connection;
	/** Batches under way, by partition: they outlive the session. */
	busy: Map<string, Promise<void>>;
	/** Members that earlier sessions may have left behind in the group. */
	leftBehind: Set<string>;
	/** Called whenever the group has shown that it counts this member in. */
	heard(): void;
	/** Called again and again while Kafka does not answer. */
	lost(reason: string): void;
	logger?: Log;
}

export interface Session {
	/** Resolves with what went wrong. */
	ended: Promise<Error>;
	lag(): Record<string, number>;
	/** Lets the batches under way end, commits, leaves the group; each bounded. */
	stop(): Promise<void>;
}

/** Not among kafkajs's types. */
type Coordinator = Broker & { leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown> };

/**
 * One life of a kafkajs consumer: from connecting to the first thing that goes wrong with it. kafkajs fetches, beats and joins again after a
 * rebalance; nothing else is mended here: who holds the session opens another.
 */
export function openSession(options: SessionOptions): Session {
	const { connection, group, topics, leftBehind, heard, lost } = options;
	const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
	let cluster: Cluster | undefined;
	const admin = connection.kafka.admin();
	const consumer = connection.kafka.consumer({
		groupId: group,
		sessionTimeout: SESSION_TIMEOUT_MS,
		heartbeatInterval: HEARTBEAT_MS,
		rebalanceTimeout: REBALANCE_TIMEOUT_MS,
		maxWaitTimeInMs: FETCH_WAIT_MS,
		maxBytesPerPartition: PARTITION_BYTES,
		allowAutoTopicCreation: false,
		partitionAssigners: [
			config => {
				cluster = config.cluster;
				keepFetchSessions(cluster);
				return PartitionAssigners.roundRobin(config);
			}
		],
		retry: { restartOnFailure: async () => false }
	});
	let assignment: Assignment | undefined;
	let beatAtMs = Date.now();
	const closing = new AbortController();

	const beat = () => {
		beatAtMs = Date.now();
		heard();
	};
	const isMember = () => Date.now() - beatAtMs < SESSION_TIMEOUT_MS;

	/** While Kafka is away for a moment kafkajs waits for it, and keeps its place in the group; if it is silent although Kafka answers, it hangs. */
	const watch = async () => {
		while (!closing.signal.aborted) {
			await delay(WATCH_EVERY_MS, undefined, { signal: closing.signal }).catch(() => {});
			if (isMember() || closing.signal.aborted) continue;
			try {
				await within(ANSWER_WITHIN_MS, "Kafka", admin.describeCluster());
				if (Date.now() - beatAtMs > SILENT_MS) end(new Error("the consumer is silent although Kafka answers"));
			} catch (error) {
				const failure = failureOf(connection, error);
				lost(failure.message);
				if (Date.now() - beatAtMs > UNANSWERED_MS) end(failure);
			}
		}
	};
	void watch();

	const lose = () => {
		assignment?.lose();
		assignment = undefined;
	};

	const { GROUP_JOIN, HEARTBEAT, REBALANCING, CRASH } = consumer.events;
	consumer.on(HEARTBEAT, beat);
	consumer.on(GROUP_JOIN, ({ payload }) => {
		lose();
		beat();
		leftBehind.clear();
		leftBehind.add(payload.memberId);
		assignment = new Assignment(payload.memberAssignment, { ...options, consumer, admin, isMember, broken: end });
	});
	consumer.on(REBALANCING, () => {
		// Sent before kafkajs asks to join again, so Kafka still takes it.
		void assignment?.commit();
		lose();
	});
	consumer.on(CRASH, ({ payload }) => end(payload.error));

	/** The group would wait for a member that is gone until its session times out: it leaves before another one joins. */
	const leave = async (memberId: string) => {
		const deadlineMs = Date.now() + SESSION_TIMEOUT_MS;
		while (Date.now() < deadlineMs) {
			try {
				const coordinator = (await cluster!.findGroupCoordinator({ groupId: group })) as Coordinator;
				await coordinator.leaveGroup({ groupId: group, memberId });
				return;
			} catch (error) {
				if (rootCause(error).type === "UNKNOWN_MEMBER_ID") return;
				await delay(AGAIN_AFTER_MS);
			}
		}
	};

	const run = async () => {
		await Promise.all([consumer.connect(), admin.connect()]);
		await consumer.subscribe({ topics, fromBeginning: true });
		await Promise.all([...leftBehind].map(leave));
		await consumer.run({
			autoCommit: false,
			eachBatchAutoResolve: false,
			async eachBatch({ batch, resolveOffset, isStale }) {
				const mine = assignment;
				await mine?.located;
				if (!mine || mine !== assignment || mine.isOver || isStale()) return;
				mine.push(batch);
				// Moves on what is fetched next, not what is committed.
				resolveOffset(batch.lastOffset());
			}
		});
	};
	run().catch(end);

	return {
		ended,
		lag: () => assignment?.lag() ?? {},
		async stop() {
			const mine = assignment;
			if (mine) await within(HANDLERS_END_WITHIN_MS, group, mine.finish()).catch(() => {});
			const goodbye = async () => {
				if (mine === assignment) await mine?.commit();
				await consumer.disconnect();
			};
			await within(LEAVE_WITHIN_MS, "Kafka", goodbye()).catch(() => {});
			closing.abort();
			lose();
			connection.cut();
			end(new Error("stopped"));
		}
	};
}
