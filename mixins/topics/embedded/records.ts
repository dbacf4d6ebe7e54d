// The SQL of the embedded topic log.
import type { Knex } from "knex";
import type { TopicRecord, TopicSpec } from "../topic-log.ts";

export interface Position {
	group: string;
	topic: string;
	partition: number;
	next: number;
}

const EXPIRE_ROWS = 1_000;

interface Row {
	topic: string;
	partition: number;
	offset: string;
	key: Uint8Array | null;
	value: Uint8Array | null;
	headers: string;
	ms: string;
}

const toRecord = ({ topic, partition, offset, key, value, headers, ms }: Row): TopicRecord => ({
	topic,
	partition,
	offset: Number(offset),
	key: key && Buffer.from(key),
	value: value && Buffer.from(value),
	headers: JSON.parse(headers),
	timestampMs: Number(ms)
});

export type EmbeddedRecords = ReturnType<typeof embeddedRecords>;

export const embeddedRecords = (db: Knex) => ({
	async prepare() {
		await db.raw("create table if not exists topics (name text primary key, partitions int not null)");
		await db.raw(`create table if not exists topic_records (
			topic text not null, partition int not null, "offset" bigint not null,
			key bytea, value bytea, headers text not null, ms bigint not null,
			primary key (topic, partition, "offset"))`);
		await db.raw(`create table if not exists topic_positions (
			"group" text not null, topic text not null, partition int not null, next bigint not null,
			primary key ("group", topic, partition))`);
	},

	check: () => db.raw("select 1"),

	/** Every topic with the next offset of each of its partitions. */
	async topics(): Promise<Map<string, number[]>> {
		const { rows } = await db.raw(`
			select name, array(
				select coalesce((select max("offset") + 1 from topic_records where topic = name and partition = p), 0)
				from generate_series(0, partitions - 1) p order by p)::text[] as nexts
			from topics`);
		return new Map(rows.map((row: { name: string; nexts: string[] }) => [row.name, row.nexts.map(Number)]));
	},

	async create(specs: TopicSpec[]) {
		if (specs.length > 0) await db("topics").insert(specs.map(({ name, partitions }) => ({ name, partitions })));
	},

	/** All in one statement, and so in one commit. */
	async insert(records: TopicRecord[]) {
		await db.raw(
			`insert into topic_records (topic, partition, "offset", key, value, headers, ms)
			 select * from unnest(?::text[], ?::int[], ?::bigint[], ?::bytea[], ?::bytea[], ?::text[], ?::bigint[])`,
			[
				records.map(({ topic }) => topic),
				records.map(({ partition }) => partition),
				records.map(({ offset }) => offset),
				records.map(({ key }) => key) as never,
				records.map(({ value }) => value) as never,
				records.map(({ headers }) => JSON.stringify(headers)),
				records.map(({ timestampMs }) => timestampMs)
			]
		);
	},

	async read(topic: string, partition: number, fromOffset: number, maxRecords: number): Promise<TopicRecord[]> {
		const { rows } = await db.raw(
			`select * from topic_records where topic = ? and partition = ? and "offset" >= ? order by "offset" limit ?`,
			[topic, partition, fromOffset, maxRecords]
		);
		return rows.map(toRecord);
	},

	async committed(group: string, topic: string): Promise<Map<number, number>> {
		const { rows } = await db.raw(`select partition, next from topic_positions where "group" = ? and topic = ?`, [group, topic]);
		return new Map(rows.map((row: { partition: number; next: string }) => [row.partition, Number(row.next)]));
	},

	async commit(positions: Position[]) {
		await db.raw(
			`insert into topic_positions select * from unnest(?::text[], ?::text[], ?::int[], ?::bigint[])
			 on conflict ("group", topic, partition) do update set next = excluded.next`,
			[
				positions.map(({ group }) => group),
				positions.map(({ topic }) => topic),
				positions.map(({ partition }) => partition),
				positions.map(({ next }) => next)
			]
		);
	},

	/**
	 * Deletes old records that every group has committed, but never the last one of a partition: the next offset after a restart follows from it.
	 * Offsets and times grow together, so the first record to keep is found by the primary key, which is cheap when nothing is due.
	 * Deletes one page and resolves with whether there may be more.
	 */
	async expire(topic: string, partition: number, retentionMs: number): Promise<boolean> {
		const { rows } = await db.raw(
			`select
				(select min("offset") from topic_records where topic = :topic and partition = :partition) as first,
				coalesce(
					(select "offset" from topic_records where topic = :topic and partition = :partition and ms >= :before order by "offset" limit 1),
					(select max("offset") from topic_records where topic = :topic and partition = :partition)) as keep,
				(select min(next) from topic_positions where topic = :topic and partition = :partition) as committed`,
			{ topic, partition, before: Date.now() - retentionMs }
		);
		const { first, keep, committed } = rows[0];
		const end = Math.min(Number(keep), Number(committed ?? keep));
		if (first === null || Number(first) >= end) return false;
		const below = Math.min(end, Number(first) + EXPIRE_ROWS);
		await db("topic_records").where({ topic, partition }).where("offset", "<", below).delete();
		return below < end;
	}
});
