// The log on the embedded Postgres: the promises that both drivers keep, and what only a log of our own must see to itself.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, fresh } from "../../../test/client.ts";
import { type Scratch, scratchEmbedded } from "../../../test/scratch.ts";
import { numbered, topicLogSuite } from "../topic-log.suite.ts";
import { embeddedLog } from "./embedded-log.ts";
import { openGroup } from "./group.ts";
import { embeddedRecords } from "./records.ts";

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

describe("the embedded log's own keeping", () => {
	let scratch: Scratch;
	before(async () => {
		scratch = await scratchEmbedded();
		await embeddedRecords(scratch.db.knex).prepare();
	});
	after(async () => {
		await scratch.db.close();
		await scratch.remove();
	});

	it("drops what is old and has been handled by every group, and never a partition's last record", async () => {
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
		// A thousand an hour old, a thousand new: more than goes in one bite.
		await records.insert(
			Array.from({ length: 2_500 }, (_, offset) => record(offset, offset < 1_800 ? nowMs - 3_600_000 : nowMs))
		);
		const expire = async (retentionMs: number) => {
			while (await records.expire(topic, 0, retentionMs));
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
	});

	it("commits again what it could not commit, and stops cleanly", async () => {
		const committed: number[] = [];
		let isAway = true;
		const records = {
			...embeddedRecords(scratch.db.knex),
			committed: async () => new Map<number, number>(),
			commit: async (positions: { next: number }[]) => {
				if (isAway) throw new Error("the session is taken");
				committed.push(...positions.map(({ next }) => next));
			}
		};
		const tail = [{ topic: "t", partition: 0, offset: 0, key: null, value: Buffer.from("x"), headers: {}, timestampMs: 0 }];
		const partition = { topic: "t", partition: 0, next: 1, tail, wake: new Set<() => void>() };
		const group = openGroup("g", records, () => [partition]);
		let handled = 0;
		const member = { group: "g", topics: ["t"], maxRecords: 10, handler: async () => ++handled };
		await group.join(member);
		await eventually(() => assert.equal(handled, 1), "the record to be handled");
		await assert.rejects(group.flush(), /the session is taken/);
		isAway = false;
		await group.leave(member);
		assert.deepEqual(committed, [1]);
	});

	it("shares one commit among all who append at once, and refuses nobody for another's unknown topic", async () => {
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
