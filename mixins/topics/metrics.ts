// Counts what became of each message of a topic in one group. Every message that was read ends as applied, duplicate or dead, or is parked; each is
// counted where it happens and none is computed from the others, so that when no message is being handled
//
//     consumed = applied + duplicate + dead + parked
//
// is a real check: a lost message makes it false.
import type { ServiceBroker } from "moleculer";
import { addMetric, metricName } from "../metrics.ts";
import type { Batch } from "./topic-log.ts";

const COUNTERS = {
	consumed: "messages read",
	applied: "messages that were handled and had an effect",
	duplicate: "messages without an effect: handled before, or read again by the new owner of their partition",
	dead: "messages that became dead letters; if every node reads the topic, each node counts them and one publishes them",
	strays: "messages published to the partition of their key, not counted as consumed until they are read there"
} as const;

/** Accounts for one batch. Offsets identify its messages. */
export interface Account {
	/** The handler succeeded for these; `duplicates` of them had been handled before. */
	handled(offsets: number[], duplicates: number): void;
	/** These were replayed for another group. */
	notForUs(offsets: number[]): void;
	/** These became dead letters. */
	dead(offsets: number[]): void;
	/** These were published to another partition. */
	misrouted(offsets: number[]): void;
	/** The batch has ended and the group continues at `next`: messages from there on that have not ended are parked. */
	close(next: number): void;
}

/** Messages of one partition that were read and have not ended. */
interface Open {
	offsets: Set<number>;
	/** How many of them waited when the last batch ended. */
	parked: number;
	isRunning: boolean;
	isCurrent(): boolean;
}

const zeroCounts = () => ({ consumed: 0, applied: 0, duplicate: 0, dead: 0, strays: 0 });

/** The counts of one topic. */
export function topicMetrics() {
	const counts = zeroCounts();
	const partitions = new Map<number, Open>();

	/** The partition was reassigned (perhaps to this node again): its new owner reads again what waited here. */
	const abandon = (open: Open) => {
		counts.duplicate += open.offsets.size;
		open.offsets.clear();
		open.parked = 0;
	};
	const openOf = ({ partition, first, isCurrent }: Batch): Open => {
		const open = partitions.get(partition) ?? { offsets: new Set(), parked: 0, isRunning: false, isCurrent };
		partitions.set(partition, open);
		if (first) abandon(open);
		return Object.assign(open, { isRunning: true, isCurrent });
	};

	return {
		counts,

		/** Opens the account of a batch; `offsets` are those of its messages that are to be handled. Messages that waited already are not counted again. */
		take(batch: Batch, offsets: number[]): Account {
			const open = openOf(batch);
			const before = open.offsets.size;
			for (const offset of offsets) open.offsets.add(offset);
			counts.consumed += open.offsets.size - before;
			const end = (ended: number[]) => {
				for (const offset of ended) open.offsets.delete(offset);
			};
			return {
				handled(ended, duplicates) {
					counts.applied += ended.length - duplicates;
					counts.duplicate += duplicates;
					end(ended);
				},
				notForUs(ended) {
					counts.duplicate += ended.length;
					end(ended);
				},
				dead(ended) {
					counts.dead += ended.length;
					// A misrouted record that was too large for its partition ends here, so it counts as read here.
					for (const offset of ended) if (!open.offsets.delete(offset)) counts.consumed++;
				},
				misrouted(sent) {
					counts.strays += sent.length;
				},
				close(next) {
					open.isRunning = false;
					// Committed without an end: the message is not parked but lost, and the sum must show it.
					for (const offset of open.offsets) if (offset < next) open.offsets.delete(offset);
					open.parked = open.offsets.size;
					if (!batch.isCurrent()) abandon(open);
					if (open.parked === 0) partitions.delete(batch.partition);
				}
			};
		},

		/** Messages that wait for a dependency of their handler. */
		parked() {
			let sum = 0;
			for (const open of partitions.values()) {
				if (!open.isRunning && !open.isCurrent()) abandon(open);
				sum += open.parked;
			}
			return sum;
		}
	};
}

export type TopicMetrics = ReturnType<typeof topicMetrics>;

/** Adds the counts of each topic to the broker's metrics, zeros included. */
export function registerTopicMetrics(
	broker: ServiceBroker,
	group: string,
	topics: Record<string, TopicMetrics>,
	prefix: string | undefined
) {
	const labelNames = ["topic", "group"];
	const of = (value: (metrics: TopicMetrics) => number) => () =>
		Object.entries(topics).map(([topic, one]) => ({ value: value(one), labels: { topic, group } }));
	addMetric(
		broker,
		{
			name: metricName(prefix, "topics.parked"),
			type: "gauge",
			description: "messages read that wait for a dependency of their handler",
			labelNames
		},
		of(one => one.parked())
	);
	// After the gauge: reading it may move messages of reassigned partitions to the counter of duplicates.
	for (const [name, description] of Object.entries(COUNTERS))
		addMetric(
			broker,
			{ name: metricName(prefix, `topics.${name}`), type: "counter", description, labelNames },
			of(({ counts }) => counts[name as keyof typeof COUNTERS])
		);
}

/** Adds the lag of this node's partitions to the broker's metrics. While the consumer has a problem its lag is unknown, and the last value stays. */
export function registerLagMetric(
	broker: ServiceBroker,
	group: string,
	topics: string[],
	lag: () => Record<string, number> | undefined,
	prefix: string | undefined
) {
	addMetric(
		broker,
		{
			name: metricName(prefix, "topics.lag"),
			type: "gauge",
			description: "messages in this node's partitions that the group has not handled yet",
			labelNames: ["topic", "group"]
		},
		() => {
			const now = lag();
			return now ? topics.map(topic => ({ value: now[topic] ?? 0, labels: { topic, group } })) : [];
		}
	);
}
