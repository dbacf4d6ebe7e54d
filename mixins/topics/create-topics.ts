import { deadTopic } from "./dead-letter.ts";
import type { TopicsOptions } from "./options.ts";
import type { TopicLog, TopicSpec } from "./topic-log.ts";

const DAY_MS = 86_400_000;
const RETENTION_MS = 7 * DAY_MS;
const MAX_RECORD_BYTES = 1024 * 1024;
/** Dead letters are few, and each partition costs the first start of a cluster time. */
const DEAD = { partitions: 1, anyPartitions: true, retentionMs: 90 * DAY_MS, maxBytes: 2 * MAX_RECORD_BYTES };

/** Each topic and its dead-letter topic. A dead letter is its record with more headers, so its topic must take larger records. */
const specsOf = ({ contracts, partitions }: TopicsOptions): TopicSpec[] =>
	Object.entries(contracts).flatMap(([name, { retentionMs = RETENTION_MS }]) => [
		{ name, partitions, retentionMs, maxBytes: MAX_RECORD_BYTES },
		{ name: deadTopic(name), ...DEAD }
	]);

/** Of each log: what was created, or is being created, by topic and number of partitions. */
const created = new WeakMap<TopicLog, Map<string, Promise<void>>>();

/** Creates the topics that this process has not created on this log yet. Several services share one request for the same topics. */
export async function createTopics(log: TopicLog, options: TopicsOptions): Promise<void> {
	const known = created.get(log) ?? new Map<string, Promise<void>>();
	created.set(log, known);
	const keyOf = ({ name, partitions }: TopicSpec) => `${name}/${partitions}`;
	const specs = specsOf(options);
	const missing = specs.filter(spec => !known.has(keyOf(spec)));
	if (missing.length > 0) {
		const creating = log.create(missing);
		for (const spec of missing) known.set(keyOf(spec), creating);
		creating.catch(() => {
			for (const spec of missing) known.delete(keyOf(spec));
		});
	}
	await Promise.all(new Set(specs.map(spec => known.get(keyOf(spec)))));
}
