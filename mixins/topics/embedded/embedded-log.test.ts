// The log on the embedded Postgres: the promises of both drivers, and what only this one has to do itself.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Knex } from "knex";
import { eventually, fresh } from "../../../test/client.ts";
import { type Scratch, scratchEmbedded } from "../../../test/scratch.ts";
import { numbered } from "../topic-log.fixture.ts";
import { topicLogSuite } from "../topic-log.suite.ts";
import type { BatchHandler } from "../topic-log.ts";
import { embeddedLog } from "./embedded-log.ts";
import { openGroup } from "./group.ts";
import { addRecord, createPartition } from "./partition.ts";
import { positionStore } from "./positions.ts";
import { embeddedRecords, type Position } from "./records.ts";
import { embeddedRetention } from "./retention.ts";

topicLogSuite("the embedded log", async () => {
	const { db, remove } = await scratchEmbedded();
	let log = embeddedLog(db.knex);
	return {
		log,
		async reopen() {
			await log.close();
			log = embeddedLog(db.knex);
			return log;
		},
		async close() {
			await log.close();
			await db.close();
			await remove();
		}
	};
});

/** Collects the statements of this database until `stop`, which returns them. */
function collectStatements(knex: Knex) {
	const statements: string[] = [];
	const add = ({ sql }: { sql: string }) => statements.push(sql);
	knex.on("query", add);
	return {
		stop() {
			knex.removeListener("query", add);
			return statements;
		}
	};
}

describe("the embedded log, beyond the common promises", () => {
	let scratch: Scratch;
	before(async () => {
		scratch = await scratchEmbedded();
		await embeddedRecords(scratch.db.knex).prepare();
	});
	after(async () => {
		await scratch.db.close();
		await scratch.remove();
	});

	it("deletes records that are old and handled by every group, and never the last one of a partition", async () => {
		const records = embeddedRecords(scratch.db.knex);
		const topic = fresh("topic");
		const record = (offset: number, timestampMs: number) => ({
			topic,
			partition: 0,
			offset,
			key: null,
			value: Buffer.from("x"),
			headers: {},
			timestampMs
		});
		const nowMs = Date.now();
		// 1800 are an hour old and 700 new: more than one page.
		await records.insert(
			Array.from({ length: 2_500 }, (_, offset) => record(offset, offset < 1_800 ? nowMs - 3_600_000 : nowMs))
		);
		const expire = async (retentionMs: number) => {
			await embeddedRetention(scratch.db.knex).expire([{ name: topic, partitions: 2, retentionMs, maxBytes: 1_024 }]);
			return (await records.read(topic, 0, 0, 1))[0]!.offset;
		};
		await records.commit([
			{ group: "slow", topic, partition: 0, next: 1_200 },
			{ group: "quick", topic, partition: 0, next: 2_500 }
		]);
		assert.equal(await expire(60_000), 1_200);
		await records.commit([{ group: "slow", topic, partition: 0, next: 2_500 }]);
		assert.equal(await expire(60_000), 1_800);
		assert.equal(await expire(-60_000), 2_499);
		const statements = collectStatements(scratch.db.knex);
		assert.equal(await expire(-60_000), 2_499);
		// One that finds nothing to delete, and the read.
		assert.equal(statements.stop().length, 2);
	});

	it("repeats a failed commit, and stops cleanly", async () => {
		const committed: number[] = [];
		let fails = true;
		const records = {
			...embeddedRecords(scratch.db.knex),
			commit: async (positions: { next: number }[]) => {
				if (fails) throw new Error("the connection is busy");
				committed.push(...positions.map(({ next }) => next));
			}
		};
		const partition = createPartition("t", 0, 0);
		addRecord(partition, {
			topic: "t",
			partition: 0,
			offset: 0,
			key: null,
			value: Buffer.from("x"),
			headers: {},
			timestampMs: 0
		});
		const positions = positionStore(records);
		const group = openGroup("g", records, positions, () => [partition]);
		let handled = 0;
		const member = { group: "g", topics: ["t"], maxRecords: 10, handler: async () => ++handled };
		await group.join(member);
		await eventually(() => assert.equal(handled, 1), "the record to be handled");
		await assert.rejects(positions.flush(), /the connection is busy/);
		fails = false;
		await group.leave(member);
		assert.deepEqual(committed, [1]);
	});

	it("delivers a new record without a statement of its own", async () => {
		const log = embeddedLog(scratch.db.knex);
		const topic = fresh("topic");
		await log.create([{ name: topic, partitions: 2, retentionMs: 60_000, maxBytes: 1_024 }]);
		const handled = { one: 0, two: 0 };
		for (const group of ["one", "two"] as const)
			await log.consume({
				group,
				topics: [topic],
				async handler({ endOffset }) {
					handled[group] = endOffset;
					return endOffset;
				}
			});
		const statements = collectStatements(scratch.db.knex);
		for (let n = 1; n <= 5; n++) {
			await log.append([{ topic, key: null, value: "x", partition: 1 }]);
			await eventually(() => assert.deepEqual(handled, { one: n, two: n }), `record ${n} to be handled by both groups`);
		}
		assert.deepEqual(await log.committed("one", topic), [-1, 5]);
		const [stored, others] = Object.values(
			Object.groupBy(statements.stop(), sql => (sql.includes("insert into topic_records") ? "appended" : "others"))
		);
		assert.equal(stored?.length, 5);
		assert.deepEqual([...new Set(others?.map(sql => sql.trim().split(/\s+/, 3).join(" ")))], ["insert into topic_positions"]);
		await log.close();
	});

	it("stores the positions of all groups in one statement, and the newest of each", async () => {
		const stored: Position[][] = [];
		const positions = positionStore({ positions: async () => [], commit: async some => void stored.push(structuredClone(some)) });
		for (const next of [1, 2, 3])
			for (const group of ["one", "two"]) positions.storeSoon({ group, topic: "t", partition: 0, next });
		positions.storeSoon({ group: "one", topic: "t", partition: 0, next: 2 });
		assert.deepEqual(stored, []);
		await positions.flush();
		await positions.flush();
		assert.deepEqual(stored, [["one", "two"].map(group => ({ group, topic: "t", partition: 0, next: 3 }))]);
	});

	it("forgets the positions of a group that is a reader without a group now: they would keep records for ever", async () => {
		const [log, topic, name] = [embeddedLog(scratch.db.knex), fresh("topic"), fresh("name")];
		const spec = { name: topic, partitions: 1, retentionMs: 60_000, maxBytes: 1_024 };
		await log.create([spec]);
		await log.append(numbered(topic, "k", 3));
		const handler: BatchHandler = async ({ records }) => records.at(-1)!.offset + 1;
		const member = await log.consume({ group: name, topics: [topic], handler });
		await eventually(async () => assert.deepEqual(await log.committed(name, topic), [3]), "the commit");
		await member.stop();
		const tail = await log.tail({ name, topics: [topic], handler, onMissed() {} });
		assert.deepEqual(await log.committed(name, topic), [-1]);
		const stored = await embeddedRecords(scratch.db.knex).positions();
		assert.deepEqual(
			stored.filter(({ group }) => group === name),
			[]
		);
		await tail.stop();
		await log.close();
	});

	it("stores positions within a quarter of a second", async () => {
		const stored: Position[] = [];
		const positions = positionStore({ positions: async () => [], commit: async some => void stored.push(...some) });
		positions.storeSoon({ group: "g", topic: "t", partition: 0, next: 1 });
		await eventually(() => assert.equal(stored.length, 1), "the position to be stored");
	});

	it("stores concurrent appends in one commit, and rejects only the caller whose topic is unknown", async () => {
		const log = embeddedLog(scratch.db.knex);
		const topic = fresh("topic");
		await log.create([{ name: topic, partitions: 1, retentionMs: 60_000, maxBytes: 1_024 }]);
		const outcomes = await Promise.allSettled([
			...numbered(topic, "k", 500).map(record => log.append([record])),
			log.append([{ topic: "unknown", key: "k", value: "x" }])
		]);
		assert.deepEqual(
			outcomes.map(({ status }) => status),
			[...Array(500).fill("fulfilled"), "rejected"]
		);
		assert.deepEqual(await log.ends(topic), [500]);
		await log.close();
	});
});
