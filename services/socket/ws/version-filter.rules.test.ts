import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Delivery } from "../../../contract/topic.ts";
import { countVersions, topics } from "../../selections/selections.contract.ts";
import { topics as wallet } from "../../wallet/wallet.contract.ts";
import { versionFilter } from "./version-filter.rules.ts";

/** How the topic's first delivery, which is a frame of latest values, is versioned. */
const latestOf = <Message>({ deliveries }: { deliveries?: readonly Delivery<Message>[] }) => deliveries![0]!.latest!;
const summary = latestOf(topics.SelectionSummary);
const balance = latestOf(wallet.WalletBalance);

describe("the versions that one socket gets", () => {
	it("never lets a count of a name go down, whatever the order and kind of frames", () => {
		const count = fc.record({ name: fc.constantFrom("a", "b"), count: fc.nat(20) });
		const frame = fc.oneof(
			count.map(one => ({ code: "SelectionSummary", data: { ...one, user_id: "u" }, latest: summary })),
			fc
				.uniqueArray(count, { minLength: 1, selector: ({ name }) => name })
				.map(data => ({ code: "Selections", data, latest: countVersions }))
		);
		fc.assert(
			fc.property(fc.array(frame), frames => {
				const versions = versionFilter();
				const highest = new Map<string, number>();
				for (const { code, data, latest } of frames) {
					const shown = versions.filter(code, data as never, latest as never);
					for (const { name, count: now } of shown === undefined ? [] : ([shown].flat() as { name: string; count: number }[])) {
						assert.ok(now >= (highest.get(name) ?? 0), `${name} went from ${highest.get(name)} to ${now}`);
						highest.set(name, now);
					}
				}
			})
		);
	});

	it("raises a pick's count to the count of an earlier list, so that the pick is confirmed and no count goes down", () => {
		const versions = versionFilter();
		versions.filter("Selections", [{ name: "a", count: 12 }], countVersions);
		assert.deepEqual(versions.filter("SelectionSummary", { name: "a", count: 11, user_id: "u" }, summary), {
			name: "a",
			count: 12,
			user_id: "u"
		});
	});

	it("sends nothing when a message is delivered again", () => {
		const versions = versionFilter();
		const message = { name: "a", count: 3, user_id: "u" };
		assert.equal(versions.filter("SelectionSummary", message, summary), message);
		assert.equal(versions.filter("SelectionSummary", message, summary), undefined);
	});

	it("sends every synchronization, also when nothing has changed", () => {
		const versions = versionFilter();
		const latest = { ...countVersions, always: true as const };
		const counts = [{ name: "a", count: 0 }];
		assert.equal(versions.filter("SynchronizationResults", counts, latest), counts);
		assert.equal(versions.filter("SynchronizationResults", counts, latest), counts);
	});

	it("drops an older balance by its sequence number, not by its amount", () => {
		const versions = versionFilter();
		const of = (total: number) => ({ user_id: "u", balances: { total } });
		assert.deepEqual(versions.filter("balance", of(5), balance, { seq: "2" }), of(5));
		assert.equal(versions.filter("balance", of(9), balance, { seq: "1" }), undefined);
	});

	it("drops a frame with an older version than another kind of frame had, where it cannot be raised", () => {
		const versions = versionFilter();
		versions.filter("receipt", 3, { versions: version => [{ key: "x", version }] });
		assert.equal(versions.filter("balance", 2, { versions: version => [{ key: "x", version }] }), undefined);
	});

	it("sends the balance of a socket's new user, however many purchases the former user had made", () => {
		const versions = versionFilter();
		const of = (user_id: string) => ({ user_id, balances: { total: 1 } });
		versions.filter("balance", of("first"), balance, { seq: "3" });
		assert.deepEqual(versions.filter("balance", of("second"), balance, { seq: "1" }), of("second"));
	});
});
