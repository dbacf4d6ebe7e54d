/**
 * The topic log on a Postgres that no other process uses: the promises of the log on Kafka, for one process. It assigns the offsets itself.
 *
 *     const log = embeddedLog(knex);
 *     await log.create([{ name: "orders", partitions: 12, retentionMs: 604_800_000, maxBytes: 65_536 }]);
 *     await log.append([{ topic: "orders", key: "42", value: "{}" }]);
 *     await log.close();                     // leaves the database open
 */
import type { Knex } from "knex";
import { Errors } from "moleculer";
import { isUnavailable, unavailable } from "../../errors.ts";
import { microBatch } from "../../micro-batch.ts";
import { partitionOf } from "../partition.ts";
import type { ConsumeOptions, LogDescription, Outgoing, TopicLog, TopicRecord, TopicSpec } from "../topic-log.ts";
import { type Group, type Member, openGroup } from "./group.ts";
import type { Partition } from "./partition.ts";
import { embeddedRecords } from "./records.ts";

const TAIL_RECORDS = 256;
const TAIL_BYTES = 64 * 1024;
const MAX_APPEND = 1_000;
const MAX_WAITING = 100_000;
const RETENTION_EVERY_MS = 60_000;

const bytes = (data: string | Buffer) => (typeof data === "string" ? Buffer.from(data) : data);
const sizeOf = ({ key, value }: TopicRecord) => (key?.length ?? 0) + (value?.length ?? 0);

const DESCRIPTION: LogDescription = { name: "topics", where: "its database", advice: "look for the database's own error" };

/** See the top of this file. Creates its tables on first use. `description`: how log lines and health answers name it. */
export function embeddedLog(db: Knex, description: Partial<LogDescription> = {}): TopicLog {
	const records = embeddedRecords(db);
	const topics = new Map<string, Partition[]>();
	const specs = new Map<string, TopicSpec>();
	const groups = new Map<string, Group>();
	let roundRobin = 0;
	let preparing: Promise<void> | undefined;
	let creating: Promise<void> = Promise.resolve();

	const cache = (topic: string, nexts: number[]) =>
		topics.set(
			topic,
			nexts.map((next, partition) => ({ topic, partition, next, tail: [], wake: new Set() }))
		);

	const prepare = async () => {
		await records.prepare();
		for (const [topic, nexts] of await records.topics()) cache(topic, nexts);
	};
	const prepared = () => {
		preparing ??= prepare();
		preparing.catch(() => {
			preparing = undefined;
		});
		return preparing;
	};

	const partitionsOf = (topic: string) => {
		const partitions = topics.get(topic);
		if (!partitions) throw unavailable(`topic ${topic}`);
		return partitions;
	};

	const createMissing = async (wanted: TopicSpec[]) => {
		for (const spec of wanted) {
			const known = topics.get(spec.name);
			if (known && known.length !== spec.partitions)
				throw new Errors.MoleculerError(
					`topic ${spec.name} has ${known.length} partitions, not the ${spec.partitions} that are configured`,
					500,
					"TOPIC_PARTITIONS",
					{ topic: spec.name, has: known.length, wants: spec.partitions }
				);
			specs.set(spec.name, spec);
		}
		const missing = wanted.filter(({ name }) => !topics.has(name));
		await records.create(missing);
		for (const { name, partitions } of missing)
			cache(
				name,
				Array.from({ length: partitions }, () => 0)
			);
	};

	const partitionFor = ({ key, partition }: Outgoing, count: number) =>
		partition ?? (key === null ? roundRobin++ % count : partitionOf(key, count));

	const addToTail = (partition: Partition, record: TopicRecord) => {
		partition.next = record.offset + 1;
		partition.tail.push(record);
		let size = partition.tail.reduce((sum, one) => sum + sizeOf(one), 0);
		while (partition.tail.length > TAIL_RECORDS || size > TAIL_BYTES) size -= sizeOf(partition.tail.shift()!);
	};

	const append = microBatch<Outgoing[], void>(
		async calls => {
			const timestampMs = Date.now();
			const nexts = new Map<Partition, number>();
			const placed = calls.flat().map(outgoing => {
				const partitions = partitionsOf(outgoing.topic);
				const partition = partitions[partitionFor(outgoing, partitions.length)]!;
				const offset = nexts.get(partition) ?? partition.next;
				nexts.set(partition, offset + 1);
				const { topic, key, value, headers = {} } = outgoing;
				const record = {
					topic,
					partition: partition.partition,
					offset,
					key: key === null ? null : bytes(key),
					value: bytes(value),
					headers,
					timestampMs
				};
				return { partition, record };
			});
			await records.insert(placed.map(({ record }) => record));
			// Consumers see only durable records.
			for (const { partition, record } of placed) addToTail(partition, record);
			for (const partition of nexts.keys()) for (const wake of partition.wake) wake();
			return calls.map(() => undefined);
		},
		{ maxItems: MAX_APPEND, maxWaiting: MAX_WAITING, name: "the log" }
	);

	const expire = async () => {
		for (const { name, partitions, retentionMs } of specs.values())
			for (let partition = 0; partition < partitions; partition++) while (await records.expire(name, partition, retentionMs));
	};
	// A failure is retried at the next interval.
	const retention = setInterval(() => expire().catch(() => {}), RETENTION_EVERY_MS).unref();

	return {
		description: { ...DESCRIPTION, ...description },

		async check() {
			await prepared();
			await records.check();
		},

		async create(wanted) {
			await prepared();
			// One at a time: when two callers miss the same topic, the second finds it created.
			creating = creating.catch(() => {}).then(() => createMissing(wanted));
			return creating;
		},

		async append(outgoing) {
			await prepared();
			// Checked before the shared batch, so that an unknown topic fails only its own caller.
			for (const { topic } of outgoing) partitionsOf(topic);
			try {
				await append(outgoing);
			} catch (error) {
				throw isUnavailable(error) ? unavailable("the log", error) : error;
			}
		},

		async consume(options: ConsumeOptions) {
			await prepared();
			const group = groups.get(options.group) ?? openGroup(options.group, records, partitionsOf);
			groups.set(options.group, group);
			const member: Member = { ...options, maxRecords: options.maxRecords ?? 500 };
			await group.join(member);
			return {
				problem: () => undefined,
				lag: () => group.lag(member),
				stop: () => group.leave(member)
			};
		},

		async ends(topic) {
			await prepared();
			return partitionsOf(topic).map(({ next }) => next);
		},

		async committed(group, topic) {
			await prepared();
			await groups.get(group)?.flush();
			const positions = await records.committed(group, topic);
			return partitionsOf(topic).map(({ partition }) => positions.get(partition) ?? -1);
		},

		async read(topic, partition, fromOffset, maxRecords) {
			await prepared();
			return records.read(topic, partition, fromOffset, maxRecords);
		},

		async close() {
			clearInterval(retention);
			await Promise.all([...groups.values()].map(group => group.close()));
		}
	};
}
