// Which messages are published, and in which order.
import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { checksOf } from "../health.ts";
import { updateMetrics } from "../metrics.ts";
import { leaseOf } from "./lease.ts";
import { contracts, entry, HOURLY, numbers, recordingLog, type Testbed, until } from "./outbox.fixture.ts";
import { ENTRIES, outbox, type PendingMessage } from "./outbox.ts";
import { addProofKey, leaseTable } from "./schema.ts";

export const relaySuite = ({ fresh, put, isEmpty, node, start }: Testbed) => {
	it("publishes what has committed, once and in order, and nothing that was rolled back", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const broker = await node(box, log);
		await put(box, entry("a", 1), entry("b", 2), entry("a", 3));
		await assert.rejects(
			box.knex.transaction(async trx => {
				await box.add(trx, [entry("a", 666)]);
				throw new Error("rolled back");
			})
		);
		await put(box, entry("a", 4));
		await until(() => isEmpty(box), "everything to be published");
		await broker.stop();
		assert.deepEqual(numbers(log.records), [1, 2, 3, 4]);
	});

	it("publishes exactly the contract's fields, with headers and request id", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const broker = await node(box, log);
		const message = { key: 'k"{},\\ é😀', n: 1, more: true };
		await put(box, { topic: "numbered", message, headers: { seq: "7" }, requestID: "r-1" });
		await until(() => isEmpty(box), "it to be published");
		await broker.stop();
		const value = JSON.stringify({ key: message.key, n: 1 });
		assert.deepEqual(log.records, [{ topic: "numbered", key: message.key, value, headers: { seq: "7", "request-id": "r-1" } }]);
	});

	it("proves what it publishes, to every node that reads its key, and not what another outbox publishes", async () => {
		const [box, other, log] = [await fresh(["seq"]), await fresh(["seq"]), recordingLog()];
		const node1 = await node(box, log);
		for (const one of [box, other]) await put(one, { ...entry("a", 1), headers: { seq: "1" } });
		await until(() => isEmpty(box), "it to be published");
		await node1.stop();
		const [foreign] = await other.next(1);
		const [isOurs, isForeign] = [log.records[0]!, foreign!.record].map(({ value, ...record }) => ({
			headers: {},
			...record,
			value: Buffer.from(value)
		}));
		// A second instance is what another node has.
		const { isProven } = await outbox(box.knex, { contracts: {}, table: box.table, proves: ["seq"] }).proofs();
		assert.deepEqual([isProven(isOurs!), isProven(isForeign!)], [true, false]);
		assert.ok(!isProven({ ...isOurs!, headers: { ...isOurs!.headers, seq: "2" } }));
	});

	it("reads its key again, once a minute at most, after a record with a wrong proof: Postgres was restored", async () => {
		const original = await fresh(["seq"]);
		let nowMs = 0;
		const box = outbox(original.knex, { contracts, table: original.table, proves: ["seq"], clock: () => nowMs });
		const signed = async (seq: string) => {
			await put(original, { ...entry("a", 1), headers: { seq } });
			// Another process, which has read the key just now.
			const other = outbox(original.knex, { contracts, table: original.table, proves: ["seq"] });
			const [{ id, record }] = (await other.next(1)) as [PendingMessage];
			await other.next(1, [id]);
			return { headers: {}, ...record, value: Buffer.from(record.value) };
		};
		const isProven = async (record: Awaited<ReturnType<typeof signed>>) => (await box.proofs()).isProven(record);
		assert.equal(await isProven(await signed("1")), true);
		await box.knex(leaseTable(box.table)).update({ key: "restored" });
		const record = await signed("2");
		assert.equal(await isProven(record), false);
		assert.equal(await isProven(record), false, "within the minute");
		nowMs = 60_000;
		assert.equal(await isProven(record), true);
		await box.knex(leaseTable(box.table)).update({ key: "restored again" });
		const { proof: _, ...unsigned } = record.headers as Record<string, string>;
		nowMs = 120_000;
		assert.equal(await isProven({ ...record, headers: unsigned }), false);
		assert.equal(await isProven(record), true, "a record without a proof is no reason to read the key");
	});

	it("signs with the new key after Postgres was unavailable and then has another key", async () => {
		const { knex, table } = await fresh(["seq"]);
		let nowMs = 0;
		const box = outbox(knex, { contracts, table, proves: ["seq"], clock: () => nowMs });
		await put(box, { ...entry("a", 1), headers: { seq: "1" } });
		await box.next(1);
		await knex.schema.renameTable(table, `${table}_away`);
		await assert.rejects(box.next(1));
		await knex.schema.renameTable(`${table}_away`, table);
		await knex(leaseTable(table)).update({ key: "another" });
		nowMs = 60_000;
		const [{ record }] = (await box.next(1)) as [PendingMessage];
		const { isProven } = await outbox(knex, { contracts, table, proves: ["seq"] }).proofs();
		assert.ok(isProven({ headers: {}, ...record, value: Buffer.from(record.value) }));
	});

	it("publishes nothing, and checks no proof, while the table has no key yet", async () => {
		const [plain, log] = [await fresh(), recordingLog()];
		const box = outbox(plain.knex, { contracts, table: plain.table, proves: ["seq"] });
		await put(box, entry("a", 1));
		await assert.rejects(box.proofs(), { type: "UNAVAILABLE" });
		const sender = await node(box, log);
		await addProofKey(box.knex, box.table);
		await until(() => isEmpty(box), "it to be published once there is a key");
		await sender.stop();
		const [{ value, headers = {}, topic }] = log.records as [(typeof log.records)[number]];
		assert.ok((await box.proofs()).isProven({ topic, headers, value: Buffer.from(value) }));
	});

	it("publishes what one statement added, at once and in the order of the entries, and nothing of a statement that failed", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const broker = await node(box, log, { pollMs: HOURLY });
		const insert = (more: string) => (rows: string) =>
			box.knex.raw(`insert into ?? (topic, key, value, headers) select topic, key, value, headers from ${ENTRIES} ${more}`, [
				box.table,
				rows
			]);
		await assert.rejects(box.addInStatement([entry("a", 666)], insert("where 1 / (n - 1) = 0")), /division by zero/);
		await box.addInStatement([entry("a", 1), entry("b", 2), entry("a", 3)], insert("order by n"));
		await until(() => log.records.length === 3, "them to be published");
		await broker.stop();
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
	});

	it("refuses a message that does not match its topic's contract, before anything is written", async () => {
		const box = await fresh();
		await assert.rejects(put(box, { topic: "numbered", message: { key: 1 } }), { type: "VALIDATION_ERROR" });
		await assert.rejects(put(box, { topic: "unknown", message: {} }), /topic "unknown" is in no contract/);
		const never = () => Promise.reject(new Error("it was written"));
		await assert.rejects(box.addInStatement([{ topic: "numbered", message: { key: 1 } }], never), { type: "VALIDATION_ERROR" });
		assert.ok(await isEmpty(box));
	});

	it("publishes at once after a commit of its own process, however rarely it polls", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const broker = await node(box, log, { pollMs: HOURLY });
		for (let n = 1; n <= 3; n++) {
			await put(box, entry("a", n));
			await until(() => log.records.length === n, `message ${n}`);
		}
		await broker.stop();
	});

	it("publishes what other processes commit, also after a time without commits, and while this process commits too", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		// What another process has: nothing wakes this one when it commits.
		const other = outbox(box.knex, { contracts, table: box.table });
		await node(box, log, { pollMs: { least: 1, most: 40 } });
		for (let n = 0; n < 12; n += 3) {
			await put(other, entry("a", n));
			await until(() => log.records.length === n + 1, `message ${n} of the other process`);
			await Promise.all([put(box, entry("b", n)), put(other, entry("c", n))]);
			await until(() => log.records.length === n + 3, `the messages of both processes after message ${n}`);
			// By now the polls are as rare as they get.
			if (n === 6) await delay(150);
		}
		await until(() => isEmpty(box), "everything to be deleted");
		for (const key of ["a", "b", "c"])
			assert.deepEqual(numbers(log.records.filter(record => record.key === key)), [0, 3, 6, 9], key);
	});

	it("keeps the order of each key when many transactions write to it at once", async () => {
		const [box, log] = [await fresh(), recordingLog()];
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
		await until(() => isEmpty(box), "everything to be published");
		await broker.stop();
		for (const key of keys)
			assert.deepEqual(
				numbers(log.records.filter(record => record.key === key)),
				Array.from({ length: 50 }, (_, n) => n + 1)
			);
	});

	it("does not publish on a node that does not run the service", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const idle = await node(box, log, { runsService: service => service !== "sender" });
		await put(box, entry("a", 1));
		const working = recordingLog();
		const other = await node(box, working);
		await until(() => isEmpty(box), "it to be published");
		await Promise.all([idle.stop(), other.stop()]);
		assert.deepEqual([log.records.length, working.records.length], [0, 1]);
	});

	it("publishes everything once the log is available again, logs one line for each change, and reports the age in health and metrics", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const lines: unknown[] = [];
		const say = (line: unknown) => lines.push(line);
		const worker = start(box, log, leaseOf(box, "node"), { debug() {}, info: say, warn: say });
		const { broker } = await node(box, log, { runsService: false, metricsPrefix: "shop" });
		const healthSays = (pattern: RegExp) =>
			until(async () => pattern.test((await checksOf(broker))[box.table] ?? ""), `health to say ${pattern}`);
		const ageSeconds = async () => {
			await updateMetrics(broker);
			return (broker.metrics.getMetric("shop.outbox.age.seconds")!.snapshot()[0] as { value: number }).value;
		};
		await healthSays(/^ok$/);
		assert.equal(await ageSeconds(), 0);

		let refused = 0;
		log.behave = async () => {
			refused++;
			throw new Error("the log is unavailable");
		};
		await put(box, entry("a", 1), entry("a", 2));
		await until(() => refused >= 3, "the third try");
		await put(box, entry("a", 3));
		await box.knex(box.table).update({ created_at: box.knex.raw("clock_timestamp() - interval '60 s'") });
		await healthSays(/^the oldest message has waited for \d\d+ s$/);
		assert.ok((await ageSeconds()) >= 60);

		log.behave = async () => {};
		await until(() => isEmpty(box), "everything to be published");
		await worker.stop();
		await healthSays(/^ok$/);
		assert.equal(await ageSeconds(), 0);
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
		assert.equal(lines.length, 2, lines.join("\n"));
		assert.match(String(lines[0]), /the log is unavailable/);
	});
};
