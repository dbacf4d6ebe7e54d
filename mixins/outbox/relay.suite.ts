// What leaves, and in which order.
import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf } from "../health.ts";
import { updateMetrics } from "../metrics.ts";
import { leaseOf } from "./lease.ts";
import { ENTRIES } from "./outbox.ts";
import { entry, keptLog, numbers, SELDOM, type Testbed, until } from "./testing.ts";

export const relaySuite = ({ fresh, put, isEmpty, node, start }: Testbed) => {
	it("sends what has committed, once and in order, and nothing of what was rolled back", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const broker = await node(box, log);
		await put(box, entry("a", 1), entry("b", 2), entry("a", 3));
		await assert.rejects(
			box.knex.transaction(async trx => {
				await box.add(trx, [entry("a", 666)]);
				throw new Error("rolled back");
			})
		);
		await put(box, entry("a", 4));
		await until(() => isEmpty(box), "everything to leave");
		await broker.stop();
		assert.deepEqual(numbers(log.records), [1, 2, 3, 4]);
	});

	it("sends exactly the contract's fields, with headers and request id", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const broker = await node(box, log);
		const message = { key: 'k"{},\\ é😀', n: 1, more: true };
		await put(box, { topic: "told", message, headers: { seq: "7" }, requestID: "r-1" });
		await until(() => isEmpty(box), "it to leave");
		await broker.stop();
		const value = JSON.stringify({ key: message.key, n: 1 });
		assert.deepEqual(log.records, [{ topic: "told", key: message.key, value, headers: { seq: "7", "request-id": "r-1" } }]);
	});

	it("sends what one statement put in, at once and in the order of the entries, and nothing of one that failed", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const broker = await node(box, log, { pollMs: SELDOM });
		const insert = (more: string) => (rows: string) =>
			box.knex.raw(`insert into ?? (topic, key, value, headers) select topic, key, value, headers from ${ENTRIES} ${more}`, [
				box.table,
				rows
			]);
		await assert.rejects(box.addWithin([entry("a", 666)], insert("where 1 / (n - 1) = 0")), /division by zero/);
		await box.addWithin([entry("a", 1), entry("b", 2), entry("a", 3)], insert("order by n"));
		await until(() => log.records.length === 3, "them to leave");
		await broker.stop();
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
	});

	it("refuses a message that is not what its topic's contract says, before anything is written", async () => {
		const box = await fresh();
		await assert.rejects(put(box, { topic: "told", message: { key: 1 } }), { type: "VALIDATION_ERROR" });
		await assert.rejects(put(box, { topic: "unknown", message: {} }), /no topic unknown/);
		const never = () => Promise.reject(new Error("it was written"));
		await assert.rejects(box.addWithin([{ topic: "told", message: { key: 1 } }], never), { type: "VALIDATION_ERROR" });
		assert.ok(await isEmpty(box));
	});

	it("sends at once after a commit of its own process, however seldom it looks", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const broker = await node(box, log, { pollMs: SELDOM });
		for (let n = 1; n <= 3; n++) {
			await put(box, entry("a", n));
			await until(() => log.records.length === n, `message ${n}`);
		}
		await broker.stop();
	});

	it("keeps the order of each key when many write to it at once", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const keys = ["a", "b", "c"];
		const counters = `${box.table}_n`;
		await box.knex.raw("create table ?? (key text primary key, n int not null default 0)", [counters]);
		await box.knex(counters).insert(keys.map(key => ({ key })));
		const broker = await node(box, log);
		const write = (key: string) =>
			box.knex.transaction(async trx => {
				const [row] = await trx(counters).where({ key }).increment("n", 1).returning("n");
				await box.add(trx, [entry(key, row.n)]);
			});
		await Promise.all(Array.from({ length: 150 }, (_, index) => write(keys[index % keys.length]!)));
		await until(() => isEmpty(box), "everything to leave");
		await broker.stop();
		for (const key of keys)
			assert.deepEqual(
				numbers(log.records.filter(record => record.key === key)),
				Array.from({ length: 50 }, (_, n) => n + 1)
			);
	});

	it("leaves the sending to others on a node that only carries the service's answers", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const carrier = await node(box, log, { runsService: service => service !== "sender" });
		await put(box, entry("a", 1));
		const worker = keptLog();
		const other = await node(box, worker);
		await until(() => isEmpty(box), "it to leave");
		await Promise.all([carrier.stop(), other.stop()]);
		assert.deepEqual([log.records.length, worker.records.length], [0, 1]);
	});

	it("sends everything once the log is back, says so in one line each way, and health and figures tell how long it has waited", async () => {
		const [box, log] = [await fresh(), keptLog()];
		const lines: unknown[] = [];
		const say = (line: unknown) => lines.push(line);
		const worker = start(box, log, leaseOf(box, "node"), { debug() {}, info: say, warn: say });
		const { broker } = await node(box, log, { runsService: false });
		const healthSays = (pattern: RegExp) =>
			until(async () => pattern.test((await checksOf(broker))[box.table] ?? ""), `health to say ${pattern}`);
		const ageSeconds = async () => {
			await updateMetrics(broker);
			return (broker.metrics.getMetric("plaza.outbox.age.seconds")!.snapshot()[0] as { value: number }).value;
		};
		await healthSays(/^ok$/);
		assert.equal(await ageSeconds(), 0);

		let refused = 0;
		log.behave = async () => {
			refused++;
			throw new Error("the log is away");
		};
		await put(box, entry("a", 1), entry("a", 2));
		await until(() => refused >= 3, "the third try");
		await put(box, entry("a", 3));
		await box.knex(box.table).update({ created_at: box.knex.raw("clock_timestamp() - interval '60 s'") });
		await healthSays(/^the oldest message has waited for \d\d+ s$/);
		assert.ok((await ageSeconds()) >= 60);

		log.behave = async () => {};
		await until(() => isEmpty(box), "everything to leave");
		await worker.stop();
		await healthSays(/^ok$/);
		assert.equal(await ageSeconds(), 0);
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
		assert.equal(lines.length, 2, lines.join("\n"));
		assert.match(String(lines[0]), /the log is away/);
	});
};
