// The log on a real Kafka: the promises of both drivers, and what only a real server can show.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Admin, Kafka, logLevel, type Producer } from "kafkajs";
import socketRequest from "kafkajs/src/network/requestQueue/socketRequest.js";
import { eventually, fresh } from "../../../test/client.ts";
import { numbered, texts, topicOn } from "../topic-log.fixture.ts";
import { topicLogSuite } from "../topic-log.suite.ts";
import type { Batch, TopicLog, TopicRecord } from "../topic-log.ts";
import { type KafkaServer, kafkaServer } from "./kafka.fixture.ts";
import { kafkaLog } from "./kafka-log.ts";

/** A request of kafkajs. */
interface SentRequest {
	entry: { apiName: string };
}

describe("the log on Kafka", () => {
	let server: KafkaServer;
	let log: TopicLog;
	let foreign: Kafka;
	let admin: Admin;
	let producer: Producer;
	const open = () => kafkaLog({ brokers: server.brokers, clientId: "test", replication: 1 });

	before(async () => {
		server = await kafkaServer();
		log = open();
		foreign = new Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
		admin = foreign.admin();
		producer = foreign.producer({
			createPartitioner:
				() =>
				({ message }) =>
					message.partition!
		});
		await Promise.all([admin.connect(), producer.connect()]);
	});
	after(async () => {
		await Promise.allSettled([log?.close(), admin?.disconnect(), producer?.disconnect()]);
		await server?.remove();
	});

	topicLogSuite("the promises of both drivers", async () => {
		let its = open();
		return {
			log: its,
			async reopen() {
				await its.close();
				its = open();
				return its;
			},
			close: () => its.close()
		};
	});

	/** Joins a group and collects what it gets. */
	const collect = async (topic: string, group = fresh("group")) => {
		const records: TopicRecord[] = [];
		const batches: Batch[] = [];
		const member = await log.consume({
			group,
			topics: [topic],
			async handler(batch) {
				batches.push(batch);
				records.push(...batch.records);
				return batch.records.at(-1)!.offset + 1;
			}
		});
		return { records, batches, stop: () => member.stop() };
	};

	it("delivers what other clients may write: no value, no headers, one header twice", async () => {
		const topic = await topicOn(log, 1);
		await producer.send({
			topic,
			messages: [
				{ key: "gone", value: null, partition: 0 },
				{ key: null, value: "twice", headers: { id: ["first", "last"] }, partition: 0 }
			]
		});
		const { records, stop } = await collect(topic);
		await eventually(() => assert.equal(records.length, 2), "both records");
		await stop();
		assert.deepEqual([String(records[0]!.key), records[0]!.value, records[0]!.headers], ["gone", null, {}]);
		assert.deepEqual([records[1]!.key, String(records[1]!.value), records[1]!.headers.id], [null, "twice", "last"]);
	});

	it("delivers a backlog larger than its queue, to the last record and in order", async () => {
		const topic = await topicOn(log, 1);
		const value = "x".repeat(10_000);
		for (let n = 0; n < 10; n++) await log.append(Array.from({ length: 100 }, () => ({ topic, key: "a", value })));
		const { records, stop } = await collect(topic);
		await eventually(() => assert.equal(records.length, 1_000), "ten megabytes");
		await stop();
		assert.deepEqual(
			records.map(({ offset }) => offset),
			Array.from({ length: 1_000 }, (_, n) => n)
		);
	});

	it("rejects a record that is too large, and no other of its batch", async () => {
		const topic = await topicOn(log, 1);
		const tooLarge = log.append([{ topic, key: "a", value: Buffer.alloc(3 * 1024 * 1024) }]);
		const others = [1, 2, 3].map(() => log.append(numbered(topic, "b", 1)));
		await assert.rejects(tooLarge, { type: "RECORD_TOO_LARGE", code: 413 });
		await Promise.all(others);
		assert.deepEqual(await log.ends(topic), [3]);
	});

	it("sets the retention of a topic, and the limit for its largest record", async () => {
		const topic = fresh("topic");
		await log.create([{ name: topic, partitions: 2, retentionMs: 60_000, maxBytes: 2 * 1024 * 1024 }]);
		const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic }] });
		const settingOf = (name: string) => Number(resources[0]!.configEntries.find(entry => entry.configName === name)?.configValue);
		assert.deepEqual([settingOf("retention.ms"), settingOf("segment.ms"), settingOf("min.insync.replicas")], [60_000, 60_000, 1]);
		await log.append([{ topic, key: null, value: Buffer.alloc(2 * 1024 * 1024), headers: { id: "a".repeat(100) } }]);
	});

	it("continues at the earliest record when those at its committed offset were deleted", async () => {
		const [topic, group] = [await topicOn(log, 1), fresh("group")];
		await log.append(numbered(topic, "", 20));
		const first = await collect(topic, group);
		await eventually(() => assert.equal(first.records.length, 20), "the first member to have all");
		await first.stop();
		await log.append(numbered(topic, "", 20, 20));
		// kafkajs looks up the leader before it knows the topic, and finds it at the second attempt.
		await eventually(() => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "30" }] }), "the deletion");
		const second = await collect(topic, group);
		await eventually(() => assert.equal(second.records.length, 10), "what is left");
		await second.stop();
		assert.deepEqual([second.records[0]!.offset, texts(second.records)[0]], [30, "30"]);
	});

	it("fetches no more of a partition than its queue takes, while its handler is busy, and continues afterwards", async context => {
		const [topic, gate] = [await topicOn(log, 2), Promise.withResolvers<void>()];
		const value = "x".repeat(100_000);
		for (let n = 0; n < 10; n++) await log.append(Array.from({ length: 10 }, () => ({ topic, key: null, value, partition: 0 })));
		const { completed } = socketRequest.prototype;
		let fetchedBytes = 0;
		context.mock.method(socketRequest.prototype, "completed", function (this: SentRequest, response: { size: number }) {
			if (this.entry.apiName === "Fetch") fetchedBytes += response.size;
			return completed.call(this, response);
		});
		const handled = [0, 0];
		const member = await log.consume({
			group: fresh("group"),
			topics: [topic],
			async handler({ partition, records }) {
				if (partition === 0) await gate.promise;
				handled[partition]! += records.length;
				return records.at(-1)!.offset + 1;
			}
		});
		// Each needs a fetch, which would bring more of the busy partition, too.
		for (let n = 1; n <= 30; n++) {
			await log.append([{ topic, key: null, value: "small", partition: 1 }]);
			await eventually(() => assert.equal(handled[1], n), `record ${n} of the other partition`);
		}
		assert.ok(fetchedBytes > 1_000_000 && fetchedBytes < 3_000_000, `${fetchedBytes} bytes`);
		gate.resolve();
		await eventually(() => assert.equal(handled[0], 100), "the whole of the busy partition");
		await member.stop();
	});

	it("sends one produce and one fetch for a lone record, and at most four commits per second", async context => {
		const [topic, records] = [await topicOn(log, 12), 30];
		const { records: handled, stop } = await collect(topic);
		await log.append(numbered(topic, "before", 1));
		await eventually(() => assert.equal(handled.length, 1), "the consumer to consume");

		const { completed } = socketRequest.prototype;
		const sent: string[] = [];
		context.mock.method(socketRequest.prototype, "completed", function (this: SentRequest, response: { size: number }) {
			sent.push(this.entry.apiName);
			return completed.call(this, response);
		});
		const startedAtMs = performance.now();
		for (let n = 0; n < records; n++) {
			await log.append(numbered(topic, String(n), 1));
			await eventually(() => assert.equal(handled.length, n + 2), `record ${n}`);
		}
		await delay(1_000);
		const elapsedMs = performance.now() - startedAtMs;
		await stop();
		const count = (apiName: string) => sent.filter(one => one === apiName).length;
		assert.equal(count("Produce"), records);
		// A fetch that finds nothing ends after 5 s; one was under way at the start.
		assert.ok(count("Fetch") >= records && count("Fetch") <= records + 1 + elapsedMs / 5_000, `${count("Fetch")} fetches`);
		// The last one when the consumer stops.
		assert.ok(count("OffsetCommit") >= 1 && count("OffsetCommit") <= 2 + elapsedMs / 250, `${count("OffsetCommit")} commits`);
	});

	it("starts at the first record of a recreated topic, also with a running member", async () => {
		const [topic, group] = [await topicOn(log, 1), fresh("group")];
		const { records, batches, stop } = await collect(topic, group);
		await log.append(numbered(topic, "", 10));
		await eventually(() => assert.equal(records.length, 10), "the old topic's records");
		await eventually(async () => assert.deepEqual(await log.committed(group, topic), [10]), "the commit");

		await admin.deleteTopics({ topics: [topic] });
		await eventually(() => log.create([{ name: topic, partitions: 1, retentionMs: 60_000, maxBytes: 1024 }]), "the new topic");
		await eventually(() => log.append(numbered(topic, "", 3, 100)), "the new topic to take records");
		await eventually(() => assert.ok(records.length >= 13), "the new topic's records");
		const recreated = batches.find(batch => texts(batch.records).includes("100"))!;
		assert.deepEqual([recreated.records[0]!.offset, recreated.first], [0, true]);
		await stop();
	});

	describe("a reader without a group", () => {
		/** A reader whose handler handles nothing while `isBusy`. */
		const follow = async (topics: string[]) => {
			const seen: string[] = [];
			const state = { isBusy: false };
			const tail = await log.tail({
				name: fresh("reader"),
				topics,
				async handler({ records }) {
					if (state.isBusy) throw new Error("busy");
					seen.push(...texts(records));
					return records.at(-1)!.offset + 1;
				},
				onMissed: topic => void seen.push(`missed ${topic === topics[0]}`)
			});
			await tail.positioned;
			return { tail, seen, state };
		};

		it("reports that records of a recreated topic may be missing, and gets what is appended after that, also to its other topics", async () => {
			const [topic, other] = [await topicOn(log, 1), await topicOn(log, 1)];
			const { tail, seen } = await follow([topic, other]);
			await log.append(numbered(topic, "", 10));
			await eventually(() => assert.equal(seen.length, 10), "the old topic's records");
			await admin.deleteTopics({ topics: [topic] });
			await eventually(() => log.create([{ name: topic, partitions: 1, retentionMs: 60_000, maxBytes: 1024 }]), "the new topic");
			await eventually(() => assert.deepEqual(seen.slice(10), ["missed true"]), "the reader to notice", 30_000);
			await eventually(() => log.append(numbered(topic, "", 3, 100)), "the new topic to take records");
			await log.append(numbered(other, "", 1, 200));
			await eventually(() => assert.equal(seen.length, 15), "the records since");
			assert.deepEqual(seen.slice(11).toSorted(), ["100", "101", "102", "200"]);
			assert.equal(tail.problem(), undefined);
			await tail.stop();
		});

		it("leaves out what an aborted transaction has written, and continues behind it", async () => {
			const topic = await topicOn(log, 1);
			const { tail, seen } = await follow([topic]);
			const producer = foreign.producer({ transactionalId: fresh("transaction"), idempotent: true, maxInFlightRequests: 1 });
			await producer.connect();
			for (const [value, end] of [
				["aborted", "abort"],
				["committed", "commit"]
			] as const) {
				const transaction = await producer.transaction();
				await transaction.send({ topic, messages: [{ value }] });
				await transaction[end]();
			}
			await producer.disconnect();
			await log.append(numbered(topic, "", 1));
			await eventually(() => assert.ok(seen.includes("0")), "the last record");
			assert.deepEqual(seen, ["committed", "0"]);
			await tail.stop();
		});
	});
});
