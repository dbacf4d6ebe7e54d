// The promises to the other requests of a batch when Postgres fails after the holds of some are committed, or when a caller has waited too long.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HOLD_SECONDS, newIdentity, row, type SeatsNode } from "./seats.testing.ts";

export const partialFailureSuite = ({ as, store, outbox, newShow, statusesOf, passSeconds, brokenItems }: SeatsNode) =>
	describe("a batch of holds that fails in part", () => {
		const KEY_OWNER = newIdentity();
		const lost = () => Promise.reject(Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" }));
		const FAILURES: [string, (id: string) => Promise<{ requests: object[]; restore: () => void }>][] = [
			[
				"while expired seats are freed",
				async id => {
					await as(newIdentity())("seats.hold", { id, seats: ["A1"] });
					await passSeconds(HOLD_SECONDS);
					const real = outbox().add;
					let calls = 0;
					outbox().add = (...added) => (++calls > 1 ? lost() : real(...added));
					const restore = () => {
						outbox().add = real;
					};
					return { requests: [{ seats: ["A1"] }, { seats: ["A2"] }], restore };
				}
			],
			[
				"while the hold of a key is read",
				async id => {
					const wanted = { seats: ["A1"], idempotencyKey: "key" };
					await as(KEY_OWNER)("seats.hold", { id, ...wanted });
					const real = store().findHolds;
					let calls = 0;
					store().findHolds = async () => (++calls > 1 ? lost() : new Map());
					const restore = () => {
						store().findHolds = real;
					};
					return { requests: [wanted, { seats: ["A2"] }], restore };
				}
			],
			[
				"while it is found out why a request is refused",
				async () => {
					const [reserve, findRefusals] = [store().reserve, store().findRefusals];
					let isReserved = false;
					store().reserve = holds => {
						isReserved = true;
						return reserve(holds);
					};
					store().findRefusals = buyers => (isReserved ? lost() : findRefusals(buyers));
					const restore = () => Object.assign(store(), { reserve, findRefusals });
					return { requests: [{ best: { count: 10 } }, { best: { count: 1 } }], restore };
				}
			],
			[
				"while the best seats are chosen again",
				async id => {
					const [findStatuses, reserve, outdated] = [store().findStatuses, store().reserve, await store().findStatuses([id])];
					await as(newIdentity())("seats.hold", { id, best: { count: 1 } });
					let calls = 0;
					store().findStatuses = async () => outdated;
					store().reserve = holds => (++calls > 1 ? lost() : reserve(holds));
					const restore = () => Object.assign(store(), { findStatuses, reserve });
					return { requests: [{ best: { count: 1 } }, { best: { count: 1 } }], restore };
				}
			]
		];
		for (const [when, prepare] of FAILURES)
			it(`fails ${when}: that is 503 to those whose holds are not committed, and the others of their batch have theirs`, async () => {
				const id = await newShow({ seats: row(3) });
				const { requests, restore } = await prepare(id);
				const outcomes = await Promise.allSettled(
					requests.map((wanted, n) => as(n === 0 ? KEY_OWNER : newIdentity())("seats.hold", { id, ...wanted }))
				).finally(restore);
				const [failed, held] = outcomes;
				assert.ok(failed?.status === "rejected" && held?.status === "fulfilled", outcomes.map(({ status }) => status).join());
				assert.deepEqual([failed.reason.code, failed.reason.type], [503, "UNAVAILABLE"]);
				const letters = (await statusesOf(id)).map(status => status[0]).join("");
				for (const seat of held.value.seats) assert.equal(letters[Number(seat.slice(1)) - 1], "h", `${seat} in ${letters}`);
				assert.deepEqual(await brokenItems(), []);
			});

		it("chooses no other seats for a buyer who has had 503 meanwhile", async () => {
			const [id, buyer] = [await newShow(), newIdentity()];
			const [findStatuses, reserve, outdated] = [store().findStatuses, store().reserve, await store().findStatuses([id])];
			const { seats: taken } = await as(newIdentity())("seats.hold", { id, best: { count: 1 } });
			const { promise: answered, resolve: tell } = Promise.withResolvers<void>();
			let begun = 0;
			store().findStatuses = ids => (begun === 0 ? Promise.resolve(outdated) : findStatuses(ids));
			store().reserve = async holds => {
				if (holds.some(({ buyerId }) => buyerId === buyer.id)) {
					begun++;
					assert.deepEqual(holds[0]!.seats, taken);
					await answered;
				}
				return reserve(holds);
			};
			// Its caller waits 3 s, and gets an answer half a second before.
			const late = as(buyer)("seats.hold", { id, best: { count: 1 } }, { timeout: 3_000 });
			await assert.rejects(late, { code: 503, type: "UNAVAILABLE" }).finally(tell);
			// One batch after the other: when this one has its answer, the one before has ended.
			await as(newIdentity())("seats.hold", { id, best: { count: 1 } }).finally(() => {
				Object.assign(store(), { findStatuses, reserve });
			});
			assert.ok(begun <= 1, "seats were reserved for the buyer again");
			assert.deepEqual(await as(buyer)("seats.holds", {}), []);
		});
	});
