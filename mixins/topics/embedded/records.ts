// The SQL of the embedded topic log.
import type { Knex } from "knex";
import type { TopicRecord, TopicSpec } from "../topic-log.ts";

export interface Position {
	group: string;
	topic: string;
	partition: number;
	next: number;
}

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

export function embeddedRecords(db: Knex) {
	/** Planned once. Only for statements whose best plan does not depend on the sizes of the tables: a plan is kept while they grow. */
	const planned = (name: string, sql: string, bindings: Knex.RawBinding[]) => db.raw(sql, bindings).options({ name });

	return {
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
			await planned(
				"insert topic records",
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

		/** What every group has committed. */
		async positions(): Promise<Position[]> {
			const { rows } = await db.raw("select * from topic_positions");
			return rows.map((row: Position) => ({ ...row, next: Number(row.next) }));
		},

		async commit(positions: Position[]) {
			await planned(
				"store topic positions",
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

		/** Deletes the positions of a group. */
		async forget(group: string, topics: string[]) {
			await db("topic_positions").where({ group }).whereIn("topic", topics).delete();
		}
	};
}
