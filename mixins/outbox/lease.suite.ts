// Which node publishes, and when another one takes over.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Outgoing } from "../topics/topic-log.ts";
import { type Lease, leaseOf } from "./lease.ts";
import { entry, numbers, recordingLog, type Testbed, until } from "./outbox.fixture.ts";
import type { Outbox } from "./outbox.ts";

export const leaseSuite = ({ fresh, put, isEmpty, expire, node, start }: Testbed) => {
	it("publishes again what a relay had published and not deleted when it crashed, and loses nothing", async () => {
		const [box, dying, log] = [await fresh(), recordingLog(), recordingLog()];
		const ended = Promise.withResolvers<void>();
		const crashed = { append: (records: Outgoing[]) => dying.append(records).then(() => ended.promise) };
		start(box, crashed, leaseOf(box, "node-1"));
		await put(box, entry("a", 1), entry("a", 2));
		await until(() => dying.records.length === 2, "the first relay to have published");

		// The same node, started again: it need not wait for its own lease to expire.
		const again = start(box, log, leaseOf(box, "node-1"));
		await put(box, entry("a", 3));
		await until(() => isEmpty(box), "everything to be published");
		await again.stop();
		ended.resolve();
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
	});

	it("lets one of two nodes publish, and the other as soon as that one has stopped", async () => {
		const [box, first, second] = [await fresh(), recordingLog(), recordingLog()];
		const one = await node(box, first);
		await put(box, entry("a", 1));
		await until(() => first.records.length === 1, "the first to hold the lease");
		const two = await node(box, second);
		for (let n = 2; n <= 20; n++) await put(box, entry("a", n));
		await until(() => isEmpty(box), "everything to be published");
		assert.deepEqual([first.records.length, second.records.length], [20, 0]);

		await one.stop();
		await put(box, entry("a", 21));
		await until(() => second.records.length === 1, "the second to take over");
		await two.stop();
		assert.deepEqual(numbers(second.records), [21]);
	});

	describe("a relay that was delayed between reading and publishing", () => {
		const delayed = async (meanwhile: (box: Outbox) => Promise<unknown>) => {
			const [box, log] = [await fresh(), recordingLog()];
			let nowMs = 0;
			const lease = leaseOf(box, "slow", () => nowMs);
			const read = Promise.withResolvers<void>();
			const resume = Promise.withResolvers<void>();
			const slow: Outbox = {
				...box,
				async next(limit, sent) {
					const waiting = await box.next(limit, sent);
					if (waiting.length > 0) {
						read.resolve();
						await resume.promise;
					}
					return waiting;
				}
			};
			await put(box, entry("a", 1));
			const relay = start(slow, log, lease);
			await read.promise;
			nowMs += 9_000;
			await meanwhile(box);
			resume.resolve();
			return { box, log, relay };
		};

		it("publishes nothing when its lease has expired and another node has taken it", async () => {
			let other: Lease | undefined;
			const { box, log, relay } = await delayed(async box => {
				await expire(box);
				other = leaseOf(box, "other");
				assert.ok(await other.acquire());
			});
			await put(box, entry("a", 2));
			await relay.stop();
			assert.deepEqual(log.records, []);
			assert.equal((await box.next(10)).length, 2);
			await other?.release();
		});

		it("publishes when no other node has had the lease meanwhile", async () => {
			const { box, log, relay } = await delayed(expire);
			await until(() => isEmpty(box), "it to be published");
			await relay.stop();
			assert.deepEqual(numbers(log.records), [1]);
		});
	});

	it("gives the lease to one node at a time, each with a higher fence", async () => {
		const box = await fresh();
		let nowMs = 0;
		const [one, two] = [leaseOf(box, "one", () => nowMs), leaseOf(box, "two", () => nowMs)];
		const first = await one.acquire();
		assert.equal(await two.acquire(), undefined);
		nowMs += 2_000;
		assert.equal(await one.acquire(), first);
		await expire(box);
		const second = await two.acquire();
		assert.ok(Number(second) > Number(first));
		// It does not know yet that it has lost the lease; but too little time is left for an append, so it renews.
		nowMs += 2_000;
		assert.equal(await one.acquire(), undefined);
		await two.release();
		assert.ok(Number(await one.acquire()) > Number(second));
	});

	it("does not report a lease as held whose answer came so late that an append could outlive it", async () => {
		const box = await fresh();
		let nowMs = 0;
		// Four seconds pass between statement and answer.
		const lease = leaseOf(box, "late", () => (nowMs += 4_000));
		assert.equal(await lease.acquire(), undefined);
	});
};
