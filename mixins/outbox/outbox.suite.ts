// What the outbox and its relay promise, on whichever Postgres stands behind them.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { checksOf, reach } from "../dependency.ts";
import type { Outgoing, TopicLog } from "../topics/topic-log.ts";
import { type Lease, leaseOf } from "./lease.ts";
import { type Entry, type Outbox, outbox } from "./outbox.ts";
import { relay, startRelay } from "./relay.ts";
import { createOutbox, leaseTable } from "./table.ts";

const contracts = {
	told: { message: z.object({ key: z.string(), n: z.int() }), key: (message: { key: string }) => message.key }
};
const entry = (key: string, n: number): Entry => ({ topic: "told", message: { key, n } });
const numbers = (records: Outgoing[]) => records.map(({ value }) => JSON.parse(String(value)).n as number);

async function until(met: () => boolean | Promise<boolean>, what: string, withinMs = 20_000) {
	const deadline = performance.now() + withinMs;
	while (!(await met())) {
		assert.ok(performance.now() < deadline, `waited ${withinMs} ms for ${what}`);
		await delay(10);
	}
}

/** A log that keeps what it is given, and does with each append what the test says. */
function keptLog(behave: (records: Outgoing[]) => Promise<void> = async () => {}) {
	const records: Outgoing[] = [];
	const log = {
		records,
		behave,
		async append(appended: Outgoing[]) {
			await log.behave(appended);
			records.push(...appended);
		}
	};
	return log;
}

const once = <T>(act: () => T) => {
	let done: T | undefined;
	return () => (done ??= act());
};
const quiet: Parameters<typeof startRelay>[3] = { debug() {}, info() {}, warn() {} };
/** So seldom that only a commit can be what woke the relay. */
const SELDOM = { least: 3_600_000, most: 3_600_000 };
const OFTEN = { least: 5, most: 50 };

export const outboxSuite = (profile: string, open: () => Promise<{ database: Database; close: () => Promise<void> }>) =>
	describe(`outbox, ${profile}`, () => {
		let knex: Database["knex"];
		let close: () => Promise<void>;
		before(async () => {
			const opened = await open();
			close = opened.close;
			knex = opened.database.knex;
			await reach(opened.database, new ServiceBroker({ logger: false }).logger, () => false);
		});
		// Whatever a failed test has left running would keep the process for ever.
		const running: { stop(): Promise<void> }[] = [];
		afterEach(() => Promise.all(running.splice(0).map(one => one.stop())));
		after(() => close?.());

		const fresh = async () => {
			const table = `outbox_${randomUUID().replaceAll("-", "")}`;
			await createOutbox(knex, table);
			return outbox(knex, { contracts, table });
		};
		const put = (box: Outbox, ...entries: Entry[]) => knex.transaction(trx => box.add(trx, entries));
		const isEmpty = async (box: Outbox) => (await box.oldest(1)).length === 0;
		/** As if a holder's time had passed by the database's clock. */
		const expire = (box: Outbox) => knex(leaseTable(box.table)).update({ until: "-infinity" });

		/** A node with a service that has this outbox. */
		const node = async (box: Outbox, log: ReturnType<typeof keptLog>, options: Parameters<typeof relay>[2] = {}) => {
			const broker = new ServiceBroker({ nodeID: randomUUID(), logger: false });
			broker.createService({ name: "sender", mixins: [relay(box, log, { pollMs: OFTEN, ...options })] });
			await broker.start();
			const sender = { stop: once(() => broker.stop()) };
			running.push(sender);
			return sender;
		};
		const start = (box: Outbox, log: Pick<TopicLog, "append">, lease: Lease, logger = quiet) => {
			const started = startRelay(box, log, lease, logger, OFTEN);
			running.push(started);
			return started;
		};

		it("sends what has committed, once and in order, and nothing of what was rolled back", async () => {
			const [box, log] = [await fresh(), keptLog()];
			const broker = await node(box, log);
			await put(box, entry("a", 1), entry("b", 2), entry("a", 3));
			await assert.rejects(
				knex.transaction(async trx => {
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

		it("refuses a message that is not what its topic's contract says, before anything is written", async () => {
			const box = await fresh();
			await assert.rejects(put(box, { topic: "told", message: { key: 1 } }), { type: "VALIDATION_ERROR" });
			await assert.rejects(put(box, { topic: "unknown", message: {} }), /no topic unknown/);
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
			await knex.raw("create table ?? (key text primary key, n int not null default 0)", [counters]);
			await knex(counters).insert(keys.map(key => ({ key })));
			const broker = await node(box, log);
			const write = (key: string) =>
				knex.transaction(async trx => {
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

		it("sends again what a relay had sent and not deleted when it died, and loses nothing", async () => {
			const [box, dying, log] = [await fresh(), keptLog(), keptLog()];
			const buried = Promise.withResolvers<void>();
			const died = { append: (records: Outgoing[]) => dying.append(records).then(() => buried.promise) };
			start(box, died, leaseOf(box, "node-1"));
			await put(box, entry("a", 1), entry("a", 2));
			await until(() => dying.records.length === 2, "the first relay to have sent");

			// The same node, started again: it need not wait until its own lease has run out.
			const again = start(box, log, leaseOf(box, "node-1"));
			await put(box, entry("a", 3));
			await until(() => isEmpty(box), "everything to leave");
			await again.stop();
			buried.resolve();
			assert.deepEqual(numbers(log.records), [1, 2, 3]);
		});

		it("lets one of two nodes send, and the other as soon as that one has stopped", async () => {
			const [box, first, second] = [await fresh(), keptLog(), keptLog()];
			const one = await node(box, first);
			await put(box, entry("a", 1));
			await until(() => first.records.length === 1, "the first to hold the lease");
			const two = await node(box, second);
			for (let n = 2; n <= 20; n++) await put(box, entry("a", n));
			await until(() => isEmpty(box), "everything to leave");
			assert.deepEqual([first.records.length, second.records.length], [20, 0]);

			await one.stop();
			await put(box, entry("a", 21));
			await until(() => second.records.length === 1, "the second to take over");
			await two.stop();
			assert.deepEqual(numbers(second.records), [21]);
		});

		it("leaves the sending to others on a node that only carries the service's answers", async () => {
			const [box, log] = [await fresh(), keptLog()];
			const carrier = await node(box, log, { works: service => service !== "sender" });
			await put(box, entry("a", 1));
			const worker = keptLog();
			const other = await node(box, worker);
			await until(() => isEmpty(box), "it to leave");
			await Promise.all([carrier.stop(), other.stop()]);
			assert.deepEqual([log.records.length, worker.records.length], [0, 1]);
		});

		describe("a relay that was held up between reading and sending", () => {
			const heldUp = async (meanwhile: (box: Outbox) => Promise<unknown>) => {
				const [box, log] = [await fresh(), keptLog()];
				let nowMs = 0;
				const lease = leaseOf(box, "slow", () => nowMs);
				const read = Promise.withResolvers<void>();
				const goOn = Promise.withResolvers<void>();
				const slow: Outbox = {
					...box,
					async oldest(limit) {
						const waiting = await box.oldest(limit);
						if (waiting.length > 0) {
							read.resolve();
							await goOn.promise;
						}
						return waiting;
					}
				};
				await put(box, entry("a", 1));
				const slowly = start(slow, log, lease);
				await read.promise;
				nowMs += 9_000;
				await meanwhile(box);
				goOn.resolve();
				return { box, log, slowly };
			};

			it("sends nothing when its lease has run out and another node has it", async () => {
				let other: Lease | undefined;
				const { box, log, slowly } = await heldUp(async box => {
					await expire(box);
					other = leaseOf(box, "other");
					assert.ok(await other.hold());
				});
				await put(box, entry("a", 2));
				await slowly.stop();
				assert.deepEqual(log.records, []);
				assert.equal((await box.oldest(10)).length, 2);
				await other?.release();
			});

			it("sends when nobody else has had the lease meanwhile", async () => {
				const { box, log, slowly } = await heldUp(expire);
				await until(() => isEmpty(box), "it to leave");
				await slowly.stop();
				assert.deepEqual(numbers(log.records), [1]);
			});
		});

		it("gives the lease to one node at a time, with a higher fence to each", async () => {
			const box = await fresh();
			let nowMs = 0;
			const [one, two] = [leaseOf(box, "one", () => nowMs), leaseOf(box, "two", () => nowMs)];
			const first = await one.hold();
			assert.equal(await two.hold(), undefined);
			nowMs += 2_000;
			assert.equal(await one.hold(), first);
			await expire(box);
			const second = await two.hold();
			assert.ok(Number(second) > Number(first));
			// It does not know yet that it has lost; but what it has left is too little for an append, so it asks.
			nowMs += 2_000;
			assert.equal(await one.hold(), undefined);
			await two.release();
			assert.ok(Number(await one.hold()) > Number(second));
		});

		it("does not count a lease as held that came so late that an append could outlive it", async () => {
			const box = await fresh();
			let nowMs = 0;
			// Four seconds pass between the question and the answer.
			const lease = leaseOf(box, "late", () => (nowMs += 4_000));
			assert.equal(await lease.hold(), undefined);
		});

		it("sends everything once the log is back, says so in one line each way, and health tells how long it has waited", async () => {
			const box = await fresh();
			const log = keptLog();
			const lines: unknown[] = [];
			const broker = new ServiceBroker({ nodeID: randomUUID(), logger: false });
			const logger = { ...quiet, info: (line: unknown) => lines.push(line), warn: (line: unknown) => lines.push(line) };
			const worker = start(box, log, leaseOf(box, "node"), logger);
			broker.createService({ name: "carrier", mixins: [relay(box, log, { works: false })] });
			await broker.start();
			assert.deepEqual(await checksOf(broker), { [box.table]: "ok" });

			let refused = 0;
			log.behave = async () => {
				refused++;
				throw new Error("the log is away");
			};
			await put(box, entry("a", 1), entry("a", 2));
			await until(() => refused >= 3, "the third try");
			await put(box, entry("a", 3));
			await knex(box.table).update({ created_at: knex.raw("clock_timestamp() - interval '60 s'") });
			assert.match((await checksOf(broker))[box.table] ?? "", /^the oldest message has waited for 6\d s$/);

			log.behave = async () => {};
			await until(() => isEmpty(box), "everything to leave");
			await worker.stop();
			assert.deepEqual(await checksOf(broker), { [box.table]: "ok" });
			await broker.stop();
			assert.deepEqual(numbers(log.records), [1, 2, 3]);
			assert.equal(lines.length, 2, lines.join("\n"));
			assert.match(String(lines[0]), /the log is away/);
		});
	});
