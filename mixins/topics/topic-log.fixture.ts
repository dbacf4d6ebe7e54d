// Topics and records for the tests of the logs.
import { fresh } from "../../test/client.ts";
import type { Outgoing, TopicLog, TopicSpec } from "./topic-log.ts";

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;

export const specOf = (partitions = 3, name = fresh("topic")): TopicSpec => ({
	name,
	partitions,
	retentionMs: HOUR_MS,
	maxBytes: MIB
});

/** Creates a topic and returns its name. */
export async function topicOn(log: TopicLog, partitions?: number): Promise<string> {
	const spec = specOf(partitions);
	await log.create([spec]);
	return spec.name;
}

export async function everyRecord(log: TopicLog, topic: string) {
	const ends = await log.ends(topic);
	return (await Promise.all(ends.map((end, partition) => log.read(topic, partition, 0, end)))).flat();
}

export const numbered = (topic: string, key: string, count: number, from = 0): Outgoing[] =>
	Array.from({ length: count }, (_, n) => ({ topic, key, value: String(from + n) }));

export const texts = (records: { value: Buffer | null }[]) => records.map(({ value }) => String(value));
