// The promises of topic-log.ts, tested on a driver. Each driver's own test runs it and adds what only that driver can break.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fresh } from "../../test/client.ts";
import { metricsSuite } from "./metrics.suite.ts";
import { partitionOf } from "./partition.ts";
import { everyRecord, numbered, specOf, texts, topicOn } from "./topic-log.fixture.ts";
import { groupSuite } from "./topic-log.groups.suite.ts";
import { tailSuite } from "./topic-log.tail.suite.ts";
import type { TopicLog } from "./topic-log.ts";

export interface Opened {
	log: TopicLog;
	/** Closes the log and opens it again, on the same data. */
	reopen?(): Promise<TopicLog>;
	close(): Promise<void>;
}

const MIB = 1024 * 1024;
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

		it("checks that it can be reached", () => log.check());

		it("keeps the order of a key within a call, when a hundred callers append at once", async () => {
			const topic = await topicOn(log);
			const keys = range(100);
			await Promise.all(keys.map(key => log.append(numbered(topic, key, 20))));
			const records = await everyRecord(log, topic);
			assert.equal(records.length, 2_000);
			for (const key of keys) assert.deepEqual(texts(records.filter(record => String(record.key) === key)), range(20));
		});

		it("keeps what it acknowledged when it is closed and reopened", async context => {
			if (!opened.reopen) return context.skip("this driver cannot be reopened");
			const topic = await topicOn(log);
			await log.append(numbered(topic, "key", 10));
			log = await opened.reopen();
			assert.deepEqual(texts(await everyRecord(log, topic)), range(10));
			await log.append(numbered(topic, "key", 1, 10));
			assert.deepEqual(texts(await everyRecord(log, topic)), range(11));
		});

		it("returns keys, values and headers unchanged to the byte", async () => {
			const topic = await topicOn(log, 1);
			const bytes = Buffer.from(range(256).map(Number));
			const headers = { "x-request-id": "ключ 🔑 \u0000", empty: "", __proto: "no prototype" };
			const sentAtMs = Date.now();
			await log.append([
				{ topic, key: bytes, value: bytes, headers },
				{ topic, key: null, value: "" },
				{ topic, key: "Schlüssel", value: '{"a":"ü"}' }
			]);
			const [binary, empty, text] = await log.read(topic, 0, 0, 10);
			assert.deepEqual([binary!.key, binary!.value, { ...binary!.headers }], [bytes, bytes, headers]);
			assert.deepEqual([empty!.key, empty!.value?.length, { ...empty!.headers }], [null, 0, {}]);
			assert.deepEqual([String(text!.key), String(text!.value)], ["Schlüssel", '{"a":"ü"}']);
			assert.deepEqual([binary!.topic, binary!.partition, binary!.offset, text!.offset], [topic, 0, 0, 2]);
			assert.ok(Math.abs(binary!.timestampMs - sentAtMs) < 3_600_000);
		});

		it("puts a key on the partition that owns it, and a record on the partition that it names", async () => {
			const topic = await topicOn(log, 5);
			const keys = [...range(50), "ключ", Buffer.from([0, 255, 128])];
			await log.append(keys.map(key => ({ topic, key, value: "by key" })));
			await log.append([{ topic, key: "a", value: "by partition", partition: 3 }]);
			for (const { key, value, partition } of await everyRecord(log, topic))
				assert.equal(partition, String(value) === "by partition" ? 3 : partitionOf(key!, 5));
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

		it("rejects a record of a topic that does not exist, and no record of another caller", async () => {
			const topic = await topicOn(log);
			const refused = assert.rejects(log.append([{ topic: fresh("missing"), key: "a", value: "1" }]), {
				type: "UNAVAILABLE",
				code: 503
			});
			await log.append([{ topic, key: "a", value: "1" }]);
			await refused;
			assert.equal((await everyRecord(log, topic)).length, 1);
		});

		it("reads from an offset, at most the requested number, and nothing beyond the end", async () => {
			const topic = await topicOn(log, 2);
			await log.append(range(20).map(value => ({ topic, key: null, value, partition: 1 })));
			assert.deepEqual(texts(await log.read(topic, 1, 5, 3)), ["5", "6", "7"]);
			assert.deepEqual(texts(await log.read(topic, 1, 18, 100)), ["18", "19"]);
			assert.deepEqual(await log.read(topic, 1, 20, 100), []);
			assert.deepEqual(await log.read(topic, 1, 1_000, 100), []);
			assert.deepEqual(await log.read(topic, 0, 0, 100), []);
		});

		it("names a topic that does not exist, when its end offsets are requested", async () => {
			const missing = fresh("missing");
			await assert.rejects(log.ends(missing), { type: "UNAVAILABLE", data: { what: `topic ${missing}` } });
		});

		it("gives the end offset of every partition", async () => {
			const topic = await topicOn(log, 12);
			assert.deepEqual(await log.ends(topic), Array(12).fill(0));
			await log.append([0, 10, 10, 2].map(partition => ({ topic, key: null, value: "", partition })));
			assert.deepEqual(await log.ends(topic), [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
		});

		it("creates a topic once, when several nodes create it at the same time and again later", async () => {
			const spec = specOf(4);
			await Promise.all([log.create([spec, specOf()]), log.create([spec]), log.create([specOf(), spec])]);
			await log.append([{ topic: spec.name, key: "a", value: "kept" }]);
			await log.create([spec]);
			assert.deepEqual(texts(await everyRecord(log, spec.name)), ["kept"]);
		});

		it("rejects a topic that exists with another number of partitions, and gives both numbers", async () => {
			const topic = await topicOn(log, 3);
			await assert.rejects(log.create([specOf(), specOf(12, topic)]), {
				type: "TOPIC_PARTITIONS",
				data: { topic, has: 3, wants: 12 }
			});
			assert.equal((await log.ends(topic)).length, 3);
		});

		it("uses a topic as it is where any number of partitions is accepted", async () => {
			const topic = await topicOn(log, 3);
			await log.create([{ ...specOf(1, topic), anyPartitions: true }]);
			await log.append([{ topic, partition: 2, key: "a", value: "kept" }]);
			assert.deepEqual(await log.ends(topic), [0, 0, 1]);
		});

		groupSuite(() => log);
		tailSuite(() => log);
		metricsSuite(() => log);
	});
}
