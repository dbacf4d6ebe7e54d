import { unavailable } from "../../errors.ts";
import { partitionCountError } from "../partition-count-error.ts";
import type { TopicSpec } from "../topic-log.ts";
import { createPartition, type Partition } from "./partition.ts";
import type { EmbeddedRecords } from "./records.ts";

/** The topics of an embedded log, cached: no other process writes to it. */
export function embeddedTopics(records: EmbeddedRecords) {
	const topics = new Map<string, Partition[]>();
	const specs = new Map<string, TopicSpec>();
	let creating: Promise<void> = Promise.resolve();

	const add = (topic: string, nexts: number[]) =>
		topics.set(
			topic,
			nexts.map((next, partition) => createPartition(topic, partition, next))
		);

	const createMissing = async (wanted: TopicSpec[]) => {
		for (const spec of wanted) {
			const known = topics.get(spec.name);
			if (known && known.length !== spec.partitions && !spec.anyPartitions)
				throw partitionCountError(spec.name, known.length, spec.partitions);
			specs.set(spec.name, spec);
		}
		const missing = wanted.filter(({ name }) => !topics.has(name));
		await records.create(missing);
		for (const { name, partitions } of missing) add(name, Array<number>(partitions).fill(0));
	};

	return {
		/** Reads which there are. */
		async load() {
			for (const [topic, nexts] of await records.topics()) add(topic, nexts);
		},

		/** Throws `UNAVAILABLE`, which names the topic, when it does not exist. */
		partitionsOf(topic: string): Partition[] {
			const partitions = topics.get(topic);
			if (!partitions) throw unavailable(`topic ${topic}`);
			return partitions;
		},

		/** One call at a time: when two miss the same topic, the second finds it created. */
		create(wanted: TopicSpec[]): Promise<void> {
			creating = creating.catch(() => {}).then(() => createMissing(wanted));
			return creating;
		},

		/** Those that this process has asked to create, with their retention. */
		specs: () => [...specs.values()]
	};
}

export type EmbeddedTopics = ReturnType<typeof embeddedTopics>;
