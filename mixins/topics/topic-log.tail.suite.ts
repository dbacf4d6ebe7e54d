// The promises of topic-log.ts about readers without a group, tested on a driver.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { eventually, fresh } from "../../test/client.ts";
import { numbered, texts, topicOn } from "./topic-log.fixture.ts";
import type { Batch, BatchHandler, Tail, TailOptions, TopicLog, TopicRecord } from "./topic-log.ts";

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => String(from + n));
const endOf = ({ records }: Batch) => records.at(-1)!.offset + 1;

export const tailSuite = (current: () => TopicLog) =>
	describe("a reader without a group", () => {
		const tails: Tail[] = [];
		afterEach(() => Promise.all(tails.splice(0).map(tail => tail.stop())));

		const until = (condition: () => boolean, what: string) => eventually(() => assert.ok(condition()), what);
		const append = (topic: string, partition: number, count: number, from = 0) =>
			current().append(numbered(topic, "", count, from).map(record => ({ ...record, partition })));

		/** Starts a reader that handles everything; resolves once it reads, with what it gets. */
		const tail = async (topics: string[], options: Partial<TailOptions> = {}) => {
			const records: TopicRecord[] = [];
			const missed: string[] = [];
			const handler: BatchHandler = async batch => {
				records.push(...batch.records);
				return endOf(batch);
			};
			const onMissed = (topic: string) => missed.push(topic);
			const opened = await current().tail({ name: fresh("reader"), topics, handler, onMissed, ...options });
			tails.push(opened);
			await opened.positioned;
			return { tail: opened, records, missed };
		};
		const textsOf = (records: TopicRecord[], topic: string, partition: number) =>
			texts(records.filter(record => record.topic === topic && record.partition === partition));

		it("gets what is appended once it has its positions, from every partition in order, and nothing that was there before", async () => {
			const [one, other] = [await topicOn(current(), 3), await topicOn(current(), 2)];
			await append(one, 0, 5);
			const { tail: opened, records, missed } = await tail([one, other]);
			assert.equal(opened.problem(), undefined);
			await Promise.all([append(one, 0, 40, 5), append(one, 2, 40), append(other, 1, 40)]);
			await until(() => records.length === 120, "all records");
			assert.deepEqual(textsOf(records, one, 0), range(5, 45));
			assert.deepEqual(textsOf(records, one, 2), range(0, 40));
			assert.deepEqual(textsOf(records, other, 1), range(0, 40));
			assert.deepEqual(missed, []);
		});

		it("gets every record beside other readers, and beside a group that consumes the topic; it commits nothing", async () => {
			const [topic, group] = [await topicOn(current(), 2), fresh("group")];
			const handled: TopicRecord[] = [];
			const member = await current().consume({
				group,
				topics: [topic],
				async handler(batch) {
					handled.push(...batch.records);
					return endOf(batch);
				}
			});
			const name = fresh("reader");
			const readers = await Promise.all([1, 2, 3].map(() => tail([topic], { name })));
			await Promise.all([append(topic, 0, 10), append(topic, 1, 10)]);
			await until(() => readers.every(({ records }) => records.length === 20), "each reader to have all records");
			await until(() => handled.length === 20, "the group to have all records");
			await member.stop();
			assert.deepEqual(await current().committed(name, topic), [-1, -1]);
		});

		it("starts at the end again after it was stopped", async () => {
			const topic = await topicOn(current(), 1);
			const first = await tail([topic]);
			await append(topic, 0, 3);
			await until(() => first.records.length === 3, "the first reader to have all records");
			await first.tail.stop();
			await append(topic, 0, 3, 3);
			const second = await tail([topic]);
			await append(topic, 0, 3, 6);
			await until(() => second.records.length === 3, "the second reader to have the records since its start");
			assert.deepEqual(texts(second.records), ["6", "7", "8"]);
			assert.equal(first.records.length, 3);
		});

		it("delivers again what its handler has not handled, while other partitions continue", async () => {
			const [topic, gate] = [await topicOn(current(), 2), Promise.withResolvers<void>()];
			const got: TopicRecord[] = [];
			let isOpen = false;
			const { tail: opened } = await tail([topic], {
				async handler(batch) {
					if (batch.partition === 0 && !isOpen) {
						gate.resolve();
						throw new Error("not now");
					}
					// One record at a time: the rest of the batch comes again.
					got.push(batch.records[0]!);
					return batch.records[0]!.offset + 1;
				}
			});
			await append(topic, 0, 3);
			await gate.promise;
			await append(topic, 1, 3);
			await until(() => got.length === 3, "the other partition to be handled");
			await until(() => opened.lag()[topic] === 3, "the lag of the waiting partition");
			isOpen = true;
			await until(() => got.length === 6 && opened.lag()[topic] === 0, "the waiting partition to be handled");
			assert.deepEqual(textsOf(got, topic, 0), ["0", "1", "2"]);
		});

		it("delivers more than fits into memory at once, in order, while its handler is slow", async () => {
			const topic = await topicOn(current(), 1);
			const value = "x".repeat(200_000);
			const sizes: number[] = [];
			const { tail: opened } = await tail([topic], {
				maxRecords: 2,
				async handler(batch) {
					for (const { value } of batch.records) sizes.push(value!.length);
					await new Promise(resolve => setImmediate(resolve));
					return endOf(batch);
				}
			});
			for (let n = 0; n < 20; n++) await current().append([{ topic, key: null, value: `${value}${n}`, partition: 0 }]);
			await until(() => sizes.length === 20, "all large records");
			assert.deepEqual(
				sizes,
				Array.from({ length: 20 }, (_, n) => 200_000 + String(n).length)
			);
			await until(() => opened.lag()[topic] === 0, "no lag");
		});

		it("waits for a running handler when it stops, which sees that it should end", async () => {
			const topic = await topicOn(current(), 1);
			const begun = Promise.withResolvers<Batch>();
			let hasEnded = false;
			const { tail: opened } = await tail([topic], {
				async handler(batch) {
					begun.resolve(batch);
					await until(() => !batch.isCurrent(), "the batch not to be current any more");
					hasEnded = true;
					return endOf(batch);
				}
			});
			await append(topic, 0, 1);
			assert.ok((await begun.promise).isCurrent());
			await opened.stop();
			assert.ok(hasEnded);
		});
	});
