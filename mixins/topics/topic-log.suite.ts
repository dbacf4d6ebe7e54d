// What topic-log.ts promises, asked of a driver. Each driver's own test opens it and adds what only it can lose.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fresh } from "../../test/client.ts";
import { metricsSuite } from "./metrics.suite.ts";
import { partitionOf } from "./partition.ts";
import { groupSuite } from "./topic-log.groups.suite.ts";
import type { Outgoing, TopicLog, TopicSpec } from "./topic-log.ts";

export interface Opened {
	log: TopicLog;
	/** Closes the log and opens it again, on the same data. */
	reopen?(): Promise<TopicLog>;
	close(): Promise<void>;
}

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;

export const specOf = (partitions = 3, name = fresh("topic")): TopicSpec => ({
	name,
	partitions,
	retentionMs: HOUR_MS,
	maxBytes: MIB
});

/** A new topic's name. */
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
const range = (count: number) => Array.from({ length: count }, (_, n) => String(n));

export function topicLogSuite(name: string, open: () => Promise<Opened>) {
	describe(name, () => {
		let opened: Opened;
		let log: TopicLog;
		before(async () => {
			opened = await open();
			log = opened.log;
		});
		after(() => opened?.close());

		it("answers that it can be reached", () => log.check());

		it("keeps the order of a key within a call, when a hundred append at once", async () => {
			const topic = await topicOn(log);
			const keys = range(100);
			await Promise.all(keys.map(key => log.append(numbered(topic, key, 20))));
			const records = await everyRecord(log, topic);
			assert.equal(records.length, 2_000);
			for (const key of keys) assert.deepEqual(texts(records.filter(record => String(record.key) === key)), range(20));
		});

		it("keeps what it acknowledged when it is closed and opened again", async context => {
			if (!opened.reopen) return context.skip("this driver cannot be opened again");
			const topic = await topicOn(log);
			await log.append(numbered(topic, "key", 10));
			log = await opened.reopen();
			assert.deepEqual(texts(await everyRecord(log, topic)), range(10));
			await log.append(numbered(topic, "key", 1, 10));
			assert.deepEqual(texts(await everyRecord(log, topic)), range(11));
		});

		it("hands back keys, values and headers to the byte", async () => {
			const topic = await topicOn(log, 1);
			const bytes = Buffer.from(range(256).map(Number));
			const headers = { "x-request-id": "ключ 🔑 \u0000", empty: "", __proto: "no prototype" };
			const sentAtMs = Date.now();
			await log.append([
				{ topic, key: bytes, value: bytes, headers },
				{ topic, key: null, value: "" },
				{ topic, key: "Schlüssel", value: '{"a":"ü"}' }
			]);
			const [binary, nothing, text] = await log.read(topic, 0, 0, 10);
			assert.deepEqual([binary!.key, binary!.value, { ...binary!.headers }], [bytes, bytes, headers]);
			assert.deepEqual([nothing!.key, nothing!.value?.length, { ...nothing!.headers }], [null, 0, {}]);
			assert.deepEqual([String(text!.key), String(text!.value)], ["Schlüssel", '{"a":"ü"}']);
			assert.deepEqual([binary!.topic, binary!.partition, binary!.offset, text!.offset], [topic, 0, 0, 2]);
			assert.ok(Math.abs(binary!.timestampMs - sentAtMs) < HOUR_MS);
		});

		it("puts a key where partitionOf says, and a record where it is told to", async () => {
			const topic = await topicOn(log, 5);
			const keys = [...range(50), "ключ", Buffer.from([0, 255, 128])];
			await log.append(keys.map(key => ({ topic, key, value: "by key" })));
			await log.append([{ topic, key: "a", value: "told", partition: 3 }]);
			for (const { key, value, partition } of await everyRecord(log, topic))
				assert.equal(partition, String(value) === "told" ? 3 : partitionOf(key!, 5));
		});

		it("takes thousands of records in one call, and large ones beside them", async () => {
			const topic = await topicOn(log, 2);
			const large = Buffer.alloc(MIB - 1_000, "x");
			await Promise.all([
				log.append(numbered(topic, "many", 5_000)),
				log.append([0, 1, 2].map(partition => ({ topic, key: null, value: large, partition: partition % 2 })))
			]);
			const records = await everyRecord(log, topic);
			assert.deepEqual(texts(records.filter(({ key }) => String(key) === "many")), range(5_000));
			assert.deepEqual(
				records.filter(({ key }) => key === null).map(({ value }) => value!.equals(large)),
				[true, true, true]
			);
		});

		it("refuses a record for a topic that is not there, and no other's for it", async () => {
			const topic = await topicOn(log);
			const refused = assert.rejects(log.append([{ topic: fresh("missing"), key: "a", value: "1" }]), {
				type: "UNAVAILABLE",
				code: 503
			});
			await log.append([{ topic, key: "a", value: "1" }]);
			await refused;
			assert.equal((await everyRecord(log, topic)).length, 1);
		});

		it("reads from an offset on, no more than asked for, and nothing beyond the end", async () => {
			const topic = await topicOn(log, 2);
			await log.append(range(20).map(value => ({ topic, key: null, value, partition: 1 })));
			assert.deepEqual(texts(await log.read(topic, 1, 5, 3)), ["5", "6", "7"]);
			assert.deepEqual(texts(await log.read(topic, 1, 18, 100)), ["18", "19"]);
			assert.deepEqual(await log.read(topic, 1, 20, 100), []);
			assert.deepEqual(await log.read(topic, 1, 1_000, 100), []);
			assert.deepEqual(await log.read(topic, 0, 0, 100), []);
		});

		it("names a topic that is not there, when asked where it ends", async () => {
			const missing = fresh("missing");
			await assert.rejects(log.ends(missing), { type: "UNAVAILABLE", data: { what: `topic ${missing}` } });
		});

		it("counts the next offset of every partition", async () => {
			const topic = await topicOn(log, 12);
			assert.deepEqual(await log.ends(topic), Array(12).fill(0));
			await log.append([0, 10, 10, 2].map(partition => ({ topic, key: null, value: "", partition })));
			assert.deepEqual(await log.ends(topic), [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
		});

		it("makes a topic once, when several nodes make it at the same time and again later", async () => {
			const spec = specOf(4);
			await Promise.all([log.create([spec, specOf()]), log.create([spec]), log.create([specOf(), spec])]);
			await log.append([{ topic: spec.name, key: "a", value: "kept" }]);
			await log.create([spec]);
			assert.deepEqual(texts(await everyRecord(log, spec.name)), ["kept"]);
		});

		it("refuses a topic that exists with another number of partitions, and says both", async () => {
			const topic = await topicOn(log, 3);
			await assert.rejects(log.create([specOf(), specOf(12, topic)]), {
				type: "TOPIC_PARTITIONS",
				data: { topic, has: 3, wants: 12 }
			});
			assert.equal((await log.ends(topic)).length, 3);
		});

		groupSuite(() => log);
		metricsSuite(() => log);
	});
}
