// Who sends, and who no longer does.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Outgoing } from "../topics/topic-log.ts";
import { type Lease, leaseOf } from "./lease.ts";
import type { Outbox } from "./outbox.ts";
import { entry, keptLog, numbers, type Testbed, until } from "./testing.ts";

export const leaseSuite = ({ fresh, put, isEmpty, expire, node, start }: Testbed) => {
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

	describe("a relay that was held up between reading and sending", () => {
		const heldUp = async (meanwhile: (box: Outbox) => Promise<unknown>) => {
			const [box, log] = [await fresh(), keptLog()];
			let nowMs = 0;
			const lease = leaseOf(box, "slow", () => nowMs);
			const read = Promise.withResolvers<void>();
			const goOn = Promise.withResolvers<void>();
			const slow: Outbox = {
				...box,
				async next(limit, left) {
					const waiting = await box.next(limit, left);
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
			assert.equal((await box.next(10)).length, 2);
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
};
