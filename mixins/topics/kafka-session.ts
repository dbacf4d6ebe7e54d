import type { Consumer as KafkaConsumer } from "kafkajs";
import { type Connection, type Log, within } from "./kafka-connection.ts";
import { Mailbox } from "./kafka-mailbox.ts";
import type { ConsumeOptions } from "./topic-log.ts";

/** A member that was killed is missed after so long, and its partitions move. */
const SESSION_TIMEOUT_MS = 8_000;
const HEARTBEAT_MS = 2_000;
/** How long the group waits for a member to join again; every live member does so within a heartbeat. */
const REBALANCE_TIMEOUT_MS = 10_000;
/** A session that has not been heard of for so long hangs somewhere inside kafkajs. */
const SILENT_MS = 15_000;
// An answer comes as soon as there is a record: this bounds how long a partition that was paused, or a stop, waits for the fetch under way.
const FETCH_WAIT_MS = 100;
const PARTITION_BYTES = 512 * 1024;
const MAX_RECORDS = 500;
const LOCATE_TIMEOUT_MS = 5_000;
/** Commits are gathered for so long: one that is lost costs a redelivery, one for every batch would cost Kafka more than the records do. */
const COMMIT_AFTER_MS = 50;
const HANDLERS_END_WITHIN_MS = 5_000;
const LEAVE_WITHIN_MS = 2_000;

interface Position {
	topic: string;
	partition: number;
	offset: string;
}

/** What the group has given this member, until it gives anew. */
interface Assignment {
	over: AbortController;
	mailboxes: Map<string, Mailbox>;
	/** Handled and not committed yet. */
	handled: Map<string, Position>;
	commitTimer?: NodeJS.Timeout;
	located: Promise<void>;
}

export interface Session {
	/** Resolves with what went wrong. */
	ended: Promise<Error>;
	lag(): Record<string, number>;
	stop(): Promise<void>;
	close(): void;
}

export interface SessionOptions extends ConsumeOptions {
	connection: Connection;
	/** Batches under way, by partition: they outlive the session and the assignment under which they were handed over. */
	busy: Map<string, Promise<void>>;
	/** Called whenever the group has shown that it counts this member in. */
	heard(): void;
	logger?: Log;
}

const keyOf = (topic: string, partition: number) => `${topic}/${partition}`;

/**
 * One life of a kafkajs consumer: from connecting to the first thing that goes wrong with it. kafkajs fetches, beats and rejoins; where a
 * partition goes on, what of it waits and what is committed is decided here. Nothing is mended: who holds the session opens another.
 */
export function openSession(options: SessionOptions): Session {
	const { connection, group, topics, handler, maxRecords = MAX_RECORDS, busy, heard, logger } = options;
	const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
	const admin = connection.kafka.admin();
	const consumer = connection.kafka.consumer({
		groupId: group,
		sessionTimeout: SESSION_TIMEOUT_MS,
		heartbeatInterval: HEARTBEAT_MS,
		rebalanceTimeout: REBALANCE_TIMEOUT_MS,
		maxWaitTimeInMs: FETCH_WAIT_MS,
		maxBytesPerPartition: PARTITION_BYTES,
		allowAutoTopicCreation: false,
		retry: { restartOnFailure: async () => false }
	});
	let assignment: Assignment | undefined;
	let beatAtMs = Date.now();

	const beat = () => {
		beatAtMs = Date.now();
		heard();
	};
	const isMember = () => Date.now() - beatAtMs < SESSION_TIMEOUT_MS;
	const watch = setInterval(() => {
		if (Date.now() - beatAtMs > SILENT_MS) end(new Error(`the consumer was silent for ${SILENT_MS / 1000} s`));
	}, 1_000);

	const commit = async (mine: Assignment) => {
		const positions = [...mine.handled];
		mine.handled.clear();
		if (positions.length === 0) return;
		try {
			await consumer.commitOffsets(positions.map(([, position]) => position));
		} catch (error) {
			logger?.debug(`group ${group} could not commit: ${(error as Error).message}`);
			for (const [key, position] of positions) if (!mine.handled.has(key)) mine.handled.set(key, position);
		}
	};

	const commitSoon = (mine: Assignment) => {
		mine.commitTimer ??= setTimeout(async () => {
			await commit(mine);
			mine.commitTimer = undefined;
			if (mine.handled.size > 0 && mine === assignment) commitSoon(mine);
		}, COMMIT_AFTER_MS);
	};

	const mailbox = (mine: Assignment, topic: string, partition: number, from: number, endOffset: number) => {
		const key = keyOf(topic, partition);
		return new Mailbox(from, endOffset, {
			topic,
			partition,
			handler,
			maxRecords,
			over: mine.over.signal,
			isMember,
			free: busy.get(key) ?? Promise.resolve(),
			handled(offset) {
				if (mine !== assignment) return;
				mine.handled.set(key, { topic, partition, offset: String(offset) });
				commitSoon(mine);
			},
			full(isFull) {
				if (mine === assignment) consumer[isFull ? "pause" : "resume"]([{ topic, partitions: [partition] }]);
			},
			failed: error => logger?.warn(`group ${group}: the handler of ${key} failed`, error)
		});
	};

	/** Finds out where each partition goes on. kafkajs would too, but not for a position that lies beyond a topic that was made anew. */
	const locate = async (mine: Assignment, topic: string, partitions: number[]) => {
		const [offsets, committed] = await Promise.all([
			admin.fetchTopicOffsets(topic),
			admin.fetchOffsets({ groupId: group, topics: [topic] })
		]);
		if (mine !== assignment) return;
		for (const partition of partitions) {
			const known = offsets.find(one => one.partition === partition);
			const low = Number(known?.low);
			const high = Number(known?.high);
			const stored = Number(committed[0]?.partitions.find(one => one.partition === partition)?.offset ?? -1);
			const from = stored >= low && stored <= high ? stored : low;
			mine.mailboxes.set(keyOf(topic, partition), mailbox(mine, topic, partition, from, high));
			// What an earlier fetch still brings is dropped by kafkajs until it has fetched from here.
			consumer.seek({ topic, partition, offset: String(from) });
		}
	};

	const revoke = () => {
		assignment?.over.abort();
		for (const [key, { idle }] of assignment?.mailboxes ?? []) busy.set(key, idle);
		assignment = undefined;
	};

	const assign = (given: Record<string, number[]>) => {
		revoke();
		const mine: Assignment = {
			over: new AbortController(),
			mailboxes: new Map(),
			handled: new Map(),
			located: Promise.resolve()
		};
		assignment = mine;
		const all = Object.entries(given).map(([topic, partitions]) => ({ topic, partitions }));
		// kafkajs remembers a pause over an assignment.
		consumer.resume(all);
		mine.located = within(
			LOCATE_TIMEOUT_MS,
			"Kafka",
			Promise.all(all.map(({ topic, partitions }) => locate(mine, topic, partitions)))
		).then(
			() => undefined,
			error => end(error)
		);
	};

	const { GROUP_JOIN, HEARTBEAT, REBALANCING, CRASH } = consumer.events;
	consumer.on(HEARTBEAT, beat);
	consumer.on(GROUP_JOIN, ({ payload }) => {
		beat();
		assign(payload.memberAssignment);
	});
	consumer.on(REBALANCING, () => {
		// Sent before kafkajs asks to join again, so Kafka still takes it.
		if (assignment) void commit(assignment);
		revoke();
	});
	consumer.on(CRASH, ({ payload }) => end(payload.error));

	const eachBatch: NonNullable<Parameters<KafkaConsumer["run"]>[0]>["eachBatch"] = async ({ batch, resolveOffset, isStale }) => {
		const mine = assignment;
		await mine?.located;
		if (!mine || mine !== assignment || mine.over.signal.aborted || isStale()) return;
		mine.mailboxes.get(keyOf(batch.topic, batch.partition))?.push(batch.messages, Number(batch.highWatermark));
		// Moves on what is fetched next, not what is committed.
		resolveOffset(batch.lastOffset());
	};

	const run = async () => {
		await Promise.all([consumer.connect(), admin.connect()]);
		await consumer.subscribe({ topics, fromBeginning: true });
		await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
	};
	run().catch(end);

	const close = () => {
		clearInterval(watch);
		revoke();
		connection.cut();
		end(new Error("closed"));
	};

	return {
		ended,

		lag() {
			const lag: Record<string, number> = {};
			for (const [key, { lag: records }] of assignment?.mailboxes ?? []) {
				const topic = key.slice(0, key.lastIndexOf("/"));
				lag[topic] = (lag[topic] ?? 0) + records;
			}
			return lag;
		},

		async stop() {
			const mine = assignment;
			if (mine) {
				consumer.pause(topics.map(topic => ({ topic })));
				mine.over.abort();
				const idle = Promise.all([...mine.mailboxes.values()].map(one => one.idle));
				await within(HANDLERS_END_WITHIN_MS, group, idle).catch(() => {});
			}
			const leave = async () => {
				if (mine && mine === assignment) await commit(mine);
				await consumer.disconnect();
			};
			await within(LEAVE_WITHIN_MS, "Kafka", leave()).catch(() => {});
			close();
		},

		close
	};
}
