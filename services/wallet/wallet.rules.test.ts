import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import { balancesOf, changesByUser, compareVersions, purchaseIDOf, totalOf } from "./wallet.rules.ts";

const record = (headers: Headers = {}) => ({
	topic: "user_purchase",
	partition: 3,
	offset: 42,
	key: null,
	value: null,
	headers,
	timestampMs: 0
});

describe("a purchase on the topic", () => {
	it("is ours if its headers have a version and a total", () => {
		assert.deepEqual(totalOf({ seq: "7", total_cents: "4999" }), { seq: 7, total_cents: 4999 });
		assert.deepEqual(totalOf({ seq: "1", total_cents: `${Number.MAX_SAFE_INTEGER}` }), {
			seq: 1,
			total_cents: Number.MAX_SAFE_INTEGER
		});
	});

	it("is foreign if its headers do not, or have no whole numbers", () => {
		for (const headers of [
			{},
			{ seq: "1" },
			{ total_cents: "1" },
			{ seq: "0", total_cents: "0" },
			{ seq: "", total_cents: "1" },
			{ seq: "1.5", total_cents: "1" },
			{ seq: "1", total_cents: "-1" },
			{ seq: "1", total_cents: "9007199254740993" },
			{ seq: "one", total_cents: "1" }
		] as Headers[])
			assert.equal(totalOf(headers), undefined, JSON.stringify(headers));
	});

	it("is identified by its own id, or by the first position of its record", () => {
		assert.equal(purchaseIDOf("mine", record()), "mine");
		assert.equal(purchaseIDOf(undefined, record()), "user_purchase/3/42");
		const origin = { "origin-topic": "user_purchase", "origin-partition": "9", "origin-offset": "7" };
		assert.equal(purchaseIDOf(undefined, record(origin)), "user_purchase/9/7");
	});
});

const versions = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 });

describe("a batch of purchases", () => {
	it("makes one change for each user, the newest, in any order and with duplicates", () => {
		const deliveries = fc.array(
			fc.record({ user_id: fc.constantFrom("ann", "bob", "cid"), seq: fc.integer({ min: 1, max: 9 }) })
		);
		fc.assert(
			fc.property(deliveries, all => {
				const changes = changesByUser(
					all.map(({ user_id, seq }) => ({ user_id, total: { seq, total_cents: seq * 10 }, source: seq }))
				);
				assert.equal(changes.length, new Set(all.map(({ user_id }) => user_id)).size);
				for (const { entry, seqs, newest } of changes) {
					const own = all.filter(({ user_id }) => user_id === entry.user_id).map(({ seq }) => seq);
					assert.deepEqual(seqs, own);
					assert.deepEqual(entry, { user_id: entry.user_id, seq: Math.max(...own), total_cents: Math.max(...own) * 10 });
					assert.equal(newest, entry.seq);
				}
			})
		);
	});

	it("counts each version once: those that are neither new nor missed are duplicates", () => {
		fc.assert(
			fc.property(versions, fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }), (seqs, had) => {
				const { duplicates, missed } = compareVersions(seqs, had);
				const fresh = new Set(seqs.filter(seq => seq > (had ?? 0)));
				assert.equal(duplicates + fresh.size, seqs.length);
				if (had !== undefined && fresh.size > 0) assert.equal(had + fresh.size + missed, Math.max(...seqs));
				else assert.equal(missed, 0);
			})
		);
	});

	it("counts the versions between the known one and the new ones as missed", () => {
		assert.deepEqual(compareVersions([4, 5], 3), { duplicates: 0, missed: 0 });
		assert.deepEqual(compareVersions([5, 7], 3), { duplicates: 0, missed: 2 });
		assert.deepEqual(compareVersions([2, 3], 3), { duplicates: 2, missed: 0 });
		assert.deepEqual(compareVersions([9], undefined), { duplicates: 0, missed: 0 });
	});
});

it("converts a hundred purchases of 49.99 to 4999", () => {
	assert.deepEqual(balancesOf(100 * 4999), { balances: { total: 4999 } });
	assert.deepEqual(balancesOf(0), { balances: { total: 0 } });
});
