// The promises of topic-log.ts about consumer groups, tested on a driver.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { eventually, fresh } from "../../test/client.ts";
import { numbered, texts, topicOn } from "./topic-log.fixture.ts";
import type { Batch, BatchHandler, ConsumeOptions, Consumer, TopicLog, TopicRecord } from "./topic-log.ts";

const endOf = ({ records }: Batch) => records.at(-1)!.offset + 1;
const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

/** A handler that handles everything, and the batches and records that it got. */
function collecting() {
	const batches: Batch[] = [];
	const records: TopicRecord[] = [];
	const handler: BatchHandler = async batch => {
		batches.push(batch);
		records.push(...batch.records);
		return endOf(batch);
	};
	return { batches, records, handler };
}

export const groupSuite = (current: () => TopicLog) =>
	describe("a group", () => {
		const members: Consumer[] = [];
		afterEach(() => Promise.all(members.splice(0).map(member => member.stop())));

		const join = async (topic: string, group: string, handler: BatchHandler, options: Partial<ConsumeOptions> = {}) => {
			const member = await current().consume({ group, topics: [topic], handler, ...options });
			members.push(member);
			return member;
		};
		const append = (topic: string, partition: number, count: number, from = 0) =>
			current().append(numbered(topic, "", count, from).map(record => ({ ...record, partition })));
		const until = (condition: () => boolean, what: string) => eventually(() => assert.ok(condition()), what);
		const committed = async (group: string, topic: string) =>
			sum((await current().committed(group, topic)).map(n => Math.max(n, 0)));

		it("starts at the earliest record when it is new, and commits what it handled", async () => {
			const [topic, group, { records, handler }] = [await topicOn(current()), fresh("group"), collecting()];
			await append(topic, 0, 5);
			await append(topic, 2, 5);
			assert.deepEqual(await current().committed(group, topic), [-1, -1, -1]);
			const member = await join(topic, group, handler);
			await until(() => records.length === 10, "both partitions to be handled");
			await eventually(async () => assert.equal(await committed(group, topic), 10), "the commit");
			assert.deepEqual(
				await current()
					.committed(group, topic)
					.then(([a, , c]) => [a, c]),
				[5, 5]
			);
			assert.equal(member.problem(), undefined);
		});

		it("continues at its committed offsets, when its only member has stopped and another joins", async () => {
			const [topic, group, first, second] = [await topicOn(current(), 1), fresh("group"), collecting(), collecting()];
			await append(topic, 0, 50);
			const member = await join(topic, group, first.handler);
			await until(() => first.records.length === 50, "the first member to have handled all");
			await member.stop();
			await append(topic, 0, 50, 50);
			await join(topic, group, second.handler);
			await until(() => second.records.length >= 50, "the second member to have handled the rest");
			assert.deepEqual(texts(second.records), texts(await current().read(topic, 0, 50, 50)));
		});

		it("delivers all records to every group", async () => {
			const [topic, one, other] = [await topicOn(current()), collecting(), collecting()];
			await join(topic, fresh("group"), one.handler);
			await join(topic, fresh("group"), other.handler);
			await append(topic, 1, 10);
			await until(() => one.records.length === 10 && other.records.length === 10, "both groups to have all");
		});

		it("delivers the rest again when a handler handled only a part, and nothing twice that was handled", async () => {
			const [topic, group, handled] = [await topicOn(current(), 1), fresh("group"), [] as string[]];
			await append(topic, 0, 10);
			await join(topic, group, async ({ records }) => {
				// Handles three records of each batch.
				const some = records.slice(0, 3);
				handled.push(...texts(some));
				return some.at(-1)!.offset + 1;
			});
			await until(() => handled.length === 10, "all ten in portions");
			assert.deepEqual(handled, texts(await current().read(topic, 0, 0, 10)));
		});

		it("delivers everything again when a handler throws, and does not delay other partitions", async () => {
			const [topic, group, well] = [await topicOn(current(), 2), fresh("group"), collecting()];
			let failures = 0;
			let isBroken = true;
			const recovered: string[] = [];
			await append(topic, 0, 3);
			await join(topic, group, async batch => {
				if (batch.partition === 1) return well.handler(batch);
				if (isBroken) {
					failures++;
					throw new Error("the store is down");
				}
				recovered.push(...texts(batch.records));
				return endOf(batch);
			});
			await until(() => failures > 1, "the handler to have failed twice");
			for (let n = 0; n < 20; n++) {
				await append(topic, 1, 1);
				await until(() => well.records.length === n + 1, `record ${n} of the other partition`);
			}
			assert.equal((await current().committed(group, topic))[0], -1);
			isBroken = false;
			await until(() => recovered.length === 3, "the partition to continue once its handler works");
			assert.deepEqual(recovered, ["0", "1", "2"]);
		});

		it("delivers one batch of a partition at a time, and several partitions at once", async () => {
			const [topic, group] = [await topicOn(current(), 2), fresh("group")];
			const [gates, running] = [
				[Promise.withResolvers<void>(), Promise.withResolvers<void>()],
				[0, 0]
			];
			const handled: string[][] = [[], []];
			let most = 0;
			await append(topic, 0, 5);
			await append(topic, 1, 5);
			await join(topic, group, async batch => {
				const { partition } = batch;
				running[partition]!++;
				most = Math.max(most, running[partition]!);
				await gates[partition]!.promise;
				handled[partition]!.push(...texts(batch.records));
				running[partition]!--;
				return endOf(batch);
			});
			await until(() => running[0] === 1 && running[1] === 1, "both handlers to run");
			await append(topic, 0, 5, 5);
			gates[1]!.resolve();
			await append(topic, 1, 5, 5);
			await until(() => handled[1]!.length === 10, "one partition to continue while the other waits");
			gates[0]!.resolve();
			await until(() => handled[0]!.length === 10, "the other one");
			assert.equal(most, 1);
			for (const values of handled) assert.deepEqual(values, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
		});

		it("delivers at most maxRecords in a batch, with the end offset of the partition", async () => {
			const [topic, { batches, records, handler }] = [await topicOn(current(), 1), collecting()];
			await append(topic, 0, 100);
			await join(topic, fresh("group"), handler, { maxRecords: 7 });
			await until(() => records.length === 100, "all records");
			assert.ok(batches.every(batch => batch.records.length <= 7));
			assert.ok(batches.every(batch => batch.endOffset >= endOf(batch)));
			assert.equal(batches.at(-1)!.endOffset, 100);
		});

		it("marks the first batch since the partition was assigned, and no later one", async () => {
			const [topic, group, { batches, handler }] = [await topicOn(current(), 1), fresh("group"), collecting()];
			for (const expected of [[true], [true, false], [true, false, false]]) {
				const member = await join(topic, group, handler);
				for (let n = 0; n < expected.length; n++) {
					await append(topic, 0, 1);
					await until(() => batches.length === n + 1, `batch ${n}`);
				}
				assert.deepEqual(
					batches.splice(0).map(({ first }) => first),
					expected
				);
				await member.stop();
			}
		});

		it("distributes the partitions over its members, and handles every record while members join and leave", async () => {
			const [topic, group, one, two] = [await topicOn(current(), 6), fresh("group"), collecting(), collecting()];
			const appendToAll = (from: number) => Promise.all([0, 1, 2, 3, 4, 5].map(partition => append(topic, partition, 5, from)));
			const handled = () =>
				new Set([...one.records, ...two.records].map(({ partition, offset }) => `${partition}/${offset}`)).size;
			const first = await join(topic, group, one.handler);
			await appendToAll(0);
			await until(() => one.records.length >= 30, "the first member to have all");

			await join(topic, group, two.handler);
			let from = 0;
			await eventually(async () => {
				from += 5;
				await appendToAll(from);
				assert.ok(two.records.length > 0 && one.records.some(({ offset }) => offset > 5));
			}, "both members to get records");
			await until(() => handled() === 30 + from * 6, "every record");

			await first.stop();
			await appendToAll(1_000);
			await until(() => handled() === 60 + from * 6, "the second member to have taken over");
		});

		it("delivers no second batch of a partition to a member that still handles one, when another member joins", async () => {
			const [topic, group, two, gate] = [
				await topicOn(current(), 2),
				fresh("group"),
				collecting(),
				Promise.withResolvers<void>()
			];
			const running = [0, 0];
			const handled = [0, 0];
			let most = 0;
			await append(topic, 0, 5);
			await append(topic, 1, 5);
			await join(topic, group, async batch => {
				most = Math.max(most, ++running[batch.partition]!);
				await gate.promise;
				running[batch.partition]!--;
				handled[batch.partition]! = endOf(batch);
				return endOf(batch);
			});
			await until(() => running[0] === 1 && running[1] === 1, "the first member to be busy with both partitions");
			const joining = join(topic, group, two.handler);
			// The embedded log reassigns a partition once its handler has ended, or after 5 s; Kafka at once.
			await until(() => two.records.length >= 5, "the second member to get one of them");
			gate.resolve();
			await joining;
			await until(() => Math.max(handled[0]!, handled[1]!) === 5, "the first member to finish");
			await eventually(async () => assert.equal(await committed(group, topic), 10), "both partitions to be committed");
			assert.equal(most, 1);
		});

		it("waits for a handler when its member stops, lets it see that it should end, and commits what it handled", async () => {
			const [topic, group] = [await topicOn(current(), 1), fresh("group")];
			const begun = Promise.withResolvers<Batch>();
			await append(topic, 0, 10);
			const member = await join(topic, group, async batch => {
				begun.resolve(batch);
				await until(() => !batch.isCurrent(), "the batch not to be current any more");
				return batch.records[0]!.offset + 4;
			});
			const batch = await begun.promise;
			assert.ok(batch.isCurrent());
			await member.stop();
			assert.deepEqual(await current().committed(group, topic), [4]);
		});

		it("gives the lag of each topic", async () => {
			const [topic, gate] = [await topicOn(current(), 2), Promise.withResolvers<void>()];
			await append(topic, 0, 10);
			await append(topic, 1, 5);
			const member = await join(topic, fresh("group"), batch => gate.promise.then(() => endOf(batch)));
			await until(() => member.lag()[topic] === 15, "the lag of both partitions");
			gate.resolve();
			await until(() => member.lag()[topic] === 0, "no lag");
			assert.equal(member.problem(), undefined);
		});
	});
