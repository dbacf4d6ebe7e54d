import { partitionOf } from "./partition.ts";
import type { BatchHandler, ConsumeOptions, Outgoing, TailOptions, TopicLog, TopicSpec } from "./topic-log.ts";

/** A log with one partition for each topic, which delivers at once and keeps nothing. `create`: what creating topics does. */
export function memoryLog(create: (specs: TopicSpec[]) => Promise<void> = async () => {}) {
	const handlers = new Map<string, BatchHandler>();
	const appended: Outgoing[] = [];
	const subscriptions: ConsumeOptions[] = [];
	const log = {
		check: async () => {},
		create,
		async append(records: Outgoing[]) {
			for (const { topic, key, value, headers = {} } of records) {
				const offset = appended.length;
				appended.push({ topic, key, value, headers });
				const record = { topic, partition: partitionOf(key!, 1), offset, timestampMs: 0, headers };
				const records = [{ ...record, key: Buffer.from(key!), value: Buffer.from(value) }];
				void handlers.get(topic)?.({ topic, partition: 0, records, endOffset: offset + 1, first: false, isCurrent: () => true });
			}
		},
		async consume(consumeOptions: ConsumeOptions) {
			subscriptions.push(consumeOptions);
			for (const topic of consumeOptions.topics) handlers.set(topic, consumeOptions.handler);
			return { problem: () => undefined, lag: () => ({}), stop: async () => {} };
		},
		async tail({ name, ...options }: TailOptions) {
			return { ...(await log.consume({ ...options, group: name })), positioned: Promise.resolve() };
		},
		close: async () => {}
	};
	return { log: log as unknown as TopicLog, appended, subscriptions };
}
