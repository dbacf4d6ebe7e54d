// What became of the messages of each topic in the hands of one group. Every message that is read ends as one of four things, or waits; each is
// counted where it happens and none is worked out from the others, so that when all is quiet
//
//     consumed = applied + duplicate + dead + parked
//
// says something: a message that was lost on the way makes it false.
import type { ServiceBroker } from "moleculer";
import { addMetric } from "../metrics.ts";
import type { Batch } from "./topic-log.ts";

const COUNTERS = {
	consumed: "messages read",
	applied: "messages that were handled and had an effect",
	duplicate: "messages that changed nothing: handled before, or left to whom their partition went, who reads them again",
	dead: "messages given up, which lie in the topic's dead letters",
	strays: "messages sent on to the partition of their key, not counted as consumed until they are read there"
} as const;

/** What became of one batch. Offsets name its messages. */
export interface Account {
	/** The handler took these; so many of them it had taken before. */
	handled(offsets: number[], duplicates: number): void;
	/** These were for another group. */
	notForUs(offsets: number[]): void;
	/** These lie in the dead letters, for good. */
	dead(offsets: number[]): void;
	/** These were sent on to another partition. */
	strays(offsets: number[]): void;
	/** Nothing more happens to it for now, and the group goes on at `next`: what lies from there on and has had no end waits. */
	close(next: number): void;
}

/** Messages of one partition that were read and have had no end yet. */
interface Open {
	offsets: Set<number>;
	/** How many of them wait, as of the end of the last batch. */
	parked: number;
	isUnderWay: boolean;
	isCurrent(): boolean;
}

const counted = () => ({ consumed: 0, applied: 0, duplicate: 0, dead: 0, strays: 0 });

/** Keeps the figures of one topic. */
export function topicMetrics() {
	const counts = counted();
	const partitions = new Map<number, Open>();

	/** The partition went to somebody else, perhaps to us anew: what waited here is read again there. */
	const leave = (open: Open) => {
		counts.duplicate += open.offsets.size;
		open.offsets.clear();
		open.parked = 0;
	};
	const openOf = ({ partition, first, isCurrent }: Batch): Open => {
		const open = partitions.get(partition) ?? { offsets: new Set(), parked: 0, isUnderWay: false, isCurrent };
		partitions.set(partition, open);
		if (first) leave(open);
		return Object.assign(open, { isUnderWay: true, isCurrent });
	};

	return {
		counts,

		/** A batch was handed over; of its messages these are to be handled. Those of them that waited already are not read again. */
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
					// A stray that was too large to be sent on ends here, and so was read here.
					for (const offset of ended) if (!open.offsets.delete(offset)) counts.consumed++;
				},
				strays(sent) {
					counts.strays += sent.length;
				},
				close(next) {
					open.isUnderWay = false;
					// Passed without an end: it waits for nothing, it is lost, and the sum shows it.
					for (const offset of open.offsets) if (offset < next) open.offsets.delete(offset);
					open.parked = open.offsets.size;
					if (!batch.isCurrent()) leave(open);
					if (open.parked === 0) partitions.delete(batch.partition);
				}
			};
		},

		/** Messages that wait in place for something their handler needs. */
		parked() {
			let sum = 0;
			for (const open of partitions.values()) {
				if (!open.isUnderWay && !open.isCurrent()) leave(open);
				sum += open.parked;
			}
			return sum;
		}
	};
}

export type TopicMetrics = ReturnType<typeof topicMetrics>;

/** Shows them among the broker's metrics, from the start and not only once there is something to count. */
export function registerTopicMetrics(broker: ServiceBroker, group: string, figures: Record<string, TopicMetrics>) {
	const labelNames = ["topic", "group"];
	const of = (value: (figures: TopicMetrics) => number) => () =>
		Object.entries(figures).map(([topic, one]) => ({ value: value(one), labels: { topic, group } }));
	addMetric(
		broker,
		{
			name: "plaza.topics.parked",
			type: "gauge",
			description: "messages read that wait for something their handler needs",
			labelNames
		},
		of(one => one.parked())
	);
	// After the gauge, which may find that some of them were left to others.
	for (const [name, description] of Object.entries(COUNTERS))
		addMetric(
			broker,
			{ name: `plaza.topics.${name}`, type: "counter", description, labelNames },
			of(({ counts }) => counts[name as keyof typeof COUNTERS])
		);
}

/** Shows how many messages this node's partitions have before them. While the consumer itself is in trouble it cannot tell, and nothing is shown anew. */
export function registerLagMetric(
	broker: ServiceBroker,
	group: string,
	topics: string[],
	lag: () => Record<string, number> | undefined
) {
	addMetric(
		broker,
		{
			name: "plaza.topics.lag",
			type: "gauge",
			description: "messages in this node's partitions that the group has not passed yet",
			labelNames: ["topic", "group"]
		},
		() => {
			const now = lag();
			return now ? topics.map(topic => ({ value: now[topic] ?? 0, labels: { topic, group } })) : [];
		}
	);
}
