// Model of the topic log: exactly what mixins/topics/topic-log.ts promises for Kafka and the embedded log, no more.
import { Errors } from "moleculer";
import { deadlineIn } from "../../mixins/deadline.ts";
import { unavailable } from "../../mixins/errors.ts";
import { partitionOf } from "../../mixins/topics/partition.ts";
import type { Outgoing, TopicLog } from "../../mixins/topics/topic-log.ts";
import { type Groups, groupsOf, type Partition } from "./groups.model.ts";
import { type Faults, serverNamed } from "./injected-faults.ts";
import { currentActor, type Scheduler } from "./scheduler.ts";
import { type Tails, tailsOf } from "./tails.model.ts";

const APPEND_WITHIN_MS = 5_000;

export interface Topics {
	log: TopicLog;
	groups: Groups;
	tails: Tails;
	exist(topic: string): boolean;
	partitions(topic: string): Partition[];
	/** Appends a record as a foreign client does: to any partition, of any size. */
	write(outgoing: Outgoing): void;
	makeUnavailable(forMs: number): void;
}

const buffer = (data: string | Buffer) => (typeof data === "string" ? Buffer.from(data) : data);

export function modelTopics(scheduler: Scheduler, faults: Faults): Topics {
	const { random, nowMs } = scheduler;
	const topics = new Map<string, Partition[]>();
	const server = serverNamed("topics", scheduler, faults);

	const partitions = (topic: string) => {
		const known = topics.get(topic);
		if (!known) throw unavailable(`topic ${topic}`);
		return known;
	};
	const groups = groupsOf(scheduler, faults, partitions);
	const tails = tailsOf(scheduler, partitions);

	const partitionFor = ({ topic, key, partition }: Outgoing) => {
		const all = partitions(topic);
		return all[partition ?? (key === null ? random.between(0, all.length - 1) : partitionOf(key, all.length))]!;
	};

	const put = (outgoing: Outgoing) => {
		const { topic, key, value, headers = {} } = outgoing;
		const { partition, records, wake } = partitionFor(outgoing);
		const data = { key: key === null ? null : buffer(key), value: buffer(value), headers: { ...headers } };
		records.push({ topic, partition, offset: records.length, timestampMs: nowMs(), ...data });
		for (const one of wake) one();
	};

	const refuseTooLarge = (outgoing: Outgoing) => {
		if (Buffer.byteLength(outgoing.value) > partitionFor(outgoing).maxBytes)
			throw new Errors.MoleculerClientError("too large", 413, "RECORD_TOO_LARGE");
	};

	/** Appends atomically per partition; with the fault "partial" only some of the partitions get their records. */
	const land = (outgoing: Outgoing[]) => {
		if (!faults.shouldInject("partial")) return outgoing.forEach(put);
		const landing = new Map([...topics.values()].flat().map(one => [one, random.chance(0.5)]));
		for (const one of outgoing) if (landing.get(partitionFor(one))) put(one);
		throw unavailable("topics");
	};

	const append = (outgoing: Outgoing[]) => {
		const calledAtMs = nowMs();
		const placed = outgoing.map(one => ({ ...one, partition: partitionFor(one).partition }));
		const sent = server.request(`append ${outgoing.map(({ topic, key }) => `${topic} ${key}`).join()}`, () => {
			// A request whose deadline has passed must not be appended.
			if (nowMs() - calledAtMs > APPEND_WITHIN_MS) throw unavailable("topics");
			placed.forEach(refuseTooLarge);
			land(placed);
		});
		return deadlineIn(APPEND_WITHIN_MS).bound(sent, "topics");
	};

	const log: TopicLog = {
		check: () => server.request("check", () => {}),
		create: async specs => {
			for (const { name, partitions: count, maxBytes } of specs) {
				if (topics.has(name)) continue;
				const made = Array.from({ length: count }, (_, partition) => ({
					topic: name,
					partition,
					records: [],
					maxBytes,
					wake: new Set<() => void>()
				}));
				topics.set(name, made);
			}
		},
		append,
		consume: options => groups.join(options, currentActor()!),
		tail: async options => tails.open(options, currentActor()!),
		ends: topic => server.request("ends", () => partitions(topic).map(({ records }) => records.length)),
		committed: (group, topic) => server.request("committed", () => groups.committed(group, topic)),
		read: (topic, partition, fromOffset, maxRecords) =>
			server.request("read", () => partitions(topic)[partition]!.records.slice(fromOffset, fromOffset + maxRecords)),
		close: async () => {}
	};
	return {
		log,
		groups,
		tails,
		exist: topic => topics.has(topic),
		partitions,
		write: put,
		makeUnavailable: server.makeUnavailable
	};
}
