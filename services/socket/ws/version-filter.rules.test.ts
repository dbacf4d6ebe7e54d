import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { countsShown, topics } from "../../selections/selections.contract.ts";
import { topics as wallet } from "../../wallet/wallet.contract.ts";
import { createView } from "./version-filter.rules.ts";

const summary = topics.SelectionSummary.push!;
const balance = wallet.WalletBalance.push!;

describe("what one socket is shown", () => {
	it("never shows a lower count of a name, whatever order and kind of frames it comes in", () => {
		const count = fc.record({ name: fc.constantFrom("a", "b"), count: fc.nat(20) });
		const frame = fc.oneof(
			count.map(one => ({ code: "SelectionSummary", data: { ...one, user_id: "u" }, latest: summary.latest! })),
			fc
				.uniqueArray(count, { minLength: 1, selector: ({ name }) => name })
				.map(data => ({ code: "Selections", data, latest: countsShown }))
		);
		fc.assert(
			fc.property(fc.array(frame), frames => {
				const view = createView();
				const highest = new Map<string, number>();
				for (const { code, data, latest } of frames) {
					const shown = view.admit(code, data as never, latest as never);
					for (const { name, count: now } of shown === undefined ? [] : ([shown].flat() as { name: string; count: number }[])) {
						assert.ok(now >= (highest.get(name) ?? 0), `${name} went from ${highest.get(name)} to ${now}`);
						highest.set(name, now);
					}
				}
			})
		);
	});

	it("raises a pick's count to what a list has already shown, so that the pick is confirmed and nothing goes down", () => {
		const view = createView();
		view.admit("Selections", [{ name: "a", count: 12 }], countsShown);
		assert.deepEqual(view.admit("SelectionSummary", { name: "a", count: 11, user_id: "u" }, summary.latest!), {
			name: "a",
			count: 12,
			user_id: "u"
		});
	});

	it("tells nothing twice when a message is delivered again", () => {
		const view = createView();
		const message = { name: "a", count: 3, user_id: "u" };
		assert.equal(view.admit("SelectionSummary", message, summary.latest!), message);
		assert.equal(view.admit("SelectionSummary", message, summary.latest!), undefined);
	});

	it("answers every synchronisation, also when nothing has changed", () => {
		const view = createView();
		const latest = { ...countsShown, always: true as const };
		const counts = [{ name: "a", count: 0 }];
		assert.equal(view.admit("SynchronizationResults", counts, latest), counts);
		assert.equal(view.admit("SynchronizationResults", counts, latest), counts);
	});

	it("leaves out an older balance, told apart by its sequence number and not by its amount", () => {
		const view = createView();
		const of = (total: number) => ({ user_id: "u", balances: { total } });
		assert.deepEqual(view.admit("balance", of(5), balance.latest!, { seq: "2" }), of(5));
		assert.equal(view.admit("balance", of(9), balance.latest!, { seq: "1" }), undefined);
	});

	it("leaves out what is older than another kind of frame has shown, where it cannot be raised", () => {
		const view = createView();
		view.admit("receipt", 3, { shows: version => [{ key: "x", version }] });
		assert.equal(view.admit("balance", 2, { shows: version => [{ key: "x", version }] }), undefined);
	});

	it("shows the balance of whoever the socket has become, however many purchases the one before had made", () => {
		const view = createView();
		const of = (user_id: string) => ({ user_id, balances: { total: 1 } });
		view.admit("balance", of("first"), balance.latest!, { seq: "3" });
		assert.deepEqual(view.admit("balance", of("second"), balance.latest!, { seq: "1" }), of("second"));
	});
});
