import type { Knex } from "knex";
import type { TopicSpec } from "../topic-log.ts";

const PAGE_ROWS = 1_000;

interface Expirable {
	topic: string;
	partition: number;
	retentionMs: string;
}

/** Deletes the records that are older than their topic's retention. */
export function embeddedRetention(db: Knex) {
	/**
	 * The partitions whose first record is old, is committed by every group, and is not the last. One statement, which reads one record of each
	 * partition: nearly always there is nothing to do.
	 */
	const expirable = async (specs: TopicSpec[]): Promise<Expirable[]> => {
		const { rows } = await db.raw(
			`select topic, partition, "retentionMs"
			 from unnest(?::text[], ?::int[], ?::bigint[]) as spec (topic, partitions, "retentionMs")
			 cross join generate_series(0, partitions - 1) as partition
			 cross join lateral (
				select "offset", ms from topic_records of
				where of.topic = spec.topic and of.partition = partition.partition order by "offset" limit 1
			 ) as first
			 where first.ms < ?::bigint - "retentionMs"
			 and exists (
				select from topic_records of
				where of.topic = spec.topic and of.partition = partition.partition and of."offset" > first."offset"
			 )
			 and not exists (
				select from topic_positions of
				where of.topic = spec.topic and of.partition = partition.partition and of.next <= first."offset"
			 )`,
			[
				specs.map(({ name }) => name),
				specs.map(({ partitions }) => partitions),
				specs.map(({ retentionMs }) => retentionMs),
				Date.now()
			]
		);
		return rows;
	};

	/** Deletes one page of a partition and resolves with whether there may be more. */
	const deletePage = async ({ topic, partition, retentionMs }: Expirable): Promise<boolean> => {
		// Offsets and times grow together, so the first record to keep is found by the primary key.
		const { rows } = await db.raw(
			`select
				(select min("offset") from topic_records where topic = :topic and partition = :partition) as first,
				coalesce(
					(select "offset" from topic_records where topic = :topic and partition = :partition and ms >= :before order by "offset" limit 1),
					(select max("offset") from topic_records where topic = :topic and partition = :partition)) as keep,
				(select min(next) from topic_positions where topic = :topic and partition = :partition) as committed`,
			{ topic, partition, before: Date.now() - Number(retentionMs) }
		);
		const { first, keep, committed } = rows[0];
		const end = Math.min(Number(keep), Number(committed ?? keep));
		if (first === null || Number(first) >= end) return false;
		const below = Math.min(end, Number(first) + PAGE_ROWS);
		await db("topic_records").where({ topic, partition }).where("offset", "<", below).delete();
		return below < end;
	};

	return {
		/** Keeps what a group has not committed, and the last record of a partition: the next offset after a restart follows from it. */
		async expire(specs: TopicSpec[]) {
			for (const partition of await expirable(specs)) while (await deletePage(partition));
		}
	};
}
