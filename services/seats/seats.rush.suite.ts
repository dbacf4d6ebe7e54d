// The promises of seats while many buyers come at once, and while something that they need fails.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { HOLD_SECONDS, newIdentity, row, type SeatsNode } from "./seats.testing.ts";

export const rushSuite = (node: SeatsNode) => {
	const { as, knex, store, outbox, withNode, newShow, statusesOf, published, passSeconds, brokenItems } = node;
	type Outcome = PromiseSettledResult<{ seats: string[]; holdId: string }>;
	const typesOf = (outcomes: Outcome[]) => new Set(outcomes.map(one => (one.status === "rejected" ? one.reason.type : "held")));

	describe("a rush", () => {
		it("on one seat has one winner", async () => {
			const id = await newShow();
			const outcomes = await Promise.allSettled(
				Array.from({ length: 500 }, () => as(newIdentity())("seats.hold", { id, seats: ["A1"] }))
			);
			assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
			assert.deepEqual(typesOf(outcomes), new Set(["held", "SEATS_TAKEN"]));
			assert.equal((await published("seats.updated", id)).length, 1);
		});

		it("sells each seat once, publishes versions without gaps, and leaves a ledger that adds up", async () => {
			const names = ["A", "B", "C", "D"].flatMap(name => row(10, name));
			const id = await newShow({ seats: names });
			const buy = async (n: number) => {
				const call = as(newIdentity());
				const wanted = n % 2 === 0 ? { seats: [names[n % 40]!, names[(n * 7 + 3) % 40]!] } : { best: { count: (n % 3) + 1 } };
				const held = await call("seats.hold", { id, ...wanted });
				if (n % 5 === 0) await call("seats.release", { id: held.holdId });
				else if (n % 5 !== 1) await call("seats.confirm", { id: held.holdId });
				return held;
			};
			const outcomes = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => buy(n)));
			for (const type of typesOf(outcomes)) assert.match(type, /^(held|SEATS_TAKEN|NOT_ENOUGH_SEATS)$/);
			await passSeconds(HOLD_SECONDS);
			await store().expire(500);

			const { rows } = await knex().raw(
				`select unnest(seats) as seat from seat_holds join seats_holders on holder = id where show_id = ? and state = 'deducted'`,
				[id]
			);
			const sold = rows.map(({ seat }: { seat: string }) => seat).toSorted();
			assert.deepEqual(sold, [...new Set(sold)], "a seat is sold twice");
			const map = await as()("seats.seats", { id });
			assert.deepEqual(map.seats.flatMap(({ seat, status }) => (status === "sold" ? [seat] : [])).toSorted(), sold);
			assert.ok(map.seats.every(({ status }) => status !== "held"));
			const messages = await published("seats.updated", id);
			assert.deepEqual(
				messages.map(({ version }) => version),
				Array.from({ length: map.version }, (_, n) => n + 1)
			);
			const played = new Map(messages.flatMap(message => message.seats.map(({ seat, status }) => [seat, status] as const)));
			for (const { seat, status } of map.seats) assert.equal(played.get(seat) ?? "free", status, seat);
			assert.deepEqual(await brokenItems(), []);
		});
	});

	describe("a failure of Postgres", () => {
		const countRows = async (table: string) => Number((await knex()(table).count().first())?.count);

		for (const action of ["seats.hold", "seats.confirm", "seats.release"] as const)
			it(`in the middle of ${action} is 503, and leaves nothing half done`, async () => {
				const [id, buyer] = [await newShow(), newIdentity()];
				const call = as(buyer);
				const held = action === "seats.hold" ? undefined : await call("seats.hold", { id, seats: ["A1"] });
				const before = [await statusesOf(id), await countRows("seat_holds"), (await published("seats.updated", id)).length];
				const real = outbox().add;
				outbox().add = async () => {
					throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
				};
				const params = held ? { id: held.holdId } : { id, seats: ["A1"] };
				await assert
					.rejects(call(action, params as never), { code: 503, type: "UNAVAILABLE", data: { what: "Postgres" } })
					.finally(() => {
						outbox().add = real;
					});
				assert.deepEqual(
					[await statusesOf(id), await countRows("seat_holds"), (await published("seats.updated", id)).length],
					before
				);
				await call(action, params as never);
				assert.deepEqual(await brokenItems(), []);
			});
	});

	it("answers 503 in time while Postgres does not answer, and what still waits is not begun later", async () => {
		const id = await newShow();
		const real = store().reserve;
		await withNode({ timeoutMs: 1_500 }, async (call, broker) => {
			const { promise: blocked, resolve: unblock } = Promise.withResolvers<void>();
			const begun: string[] = [];
			store().reserve = async holds => {
				begun.push(...holds.flatMap(({ seats }) => seats));
				await blocked;
				return real(holds);
			};
			const UNAVAILABLE = { code: 503, type: "UNAVAILABLE" };
			const first = assert.rejects(call("seats.hold", { id, seats: ["A1"] }), UNAVAILABLE);
			await eventually(() => assert.deepEqual(begun, ["A1"]), "the first request to be begun");
			// Its caller waits 700 ms, and gets an answer half a second before.
			const options = { meta: { caller: newIdentity() }, timeout: 700 };
			const second = assert.rejects(broker.call("seats.hold", { id, seats: ["A2"] }, options), UNAVAILABLE);
			await Promise.all([first, second]);
			unblock();
			const third = { id, seats: ["A3"], idempotencyKey: "third" };
			await eventually(() => call("seats.hold", third), "A3 to be held");
			assert.deepEqual(
				begun.filter(seat => seat !== "A3"),
				["A1"],
				"the second request was begun after its caller had its answer"
			);
		}).finally(() => {
			store().reserve = real;
		});
		assert.equal((await statusesOf(id))[1], "free");
	});

	it("answers those who join a queue although an earlier batch never ends", async () => {
		const id = await newShow({ queue: { opensAt: "2036-02-01T10:00:00.000Z", admitPerSecond: 1 } });
		const { queue } = store();
		const real = queue.join;
		queue.join = () => new Promise(() => {});
		await withNode({ timeoutMs: 1_000 }, async call => {
			await assert.rejects(call("seats.join", { id }), { code: 503, type: "UNAVAILABLE" });
			queue.join = real;
			const join = async () => assert.equal((await call("seats.join", { id })).state, "waiting");
			await eventually(join, "the next batch to be answered");
		}).finally(() => {
			queue.join = real;
		});
	});

	for (const [action, list] of [
		["seats.shows", "listShows"],
		["seats.holds", "listOpen"]
	] as const)
		it(`reads the lists of one client, ${action}, one after the other, and those of another client beside them`, async () => {
			await newShow();
			const [one, other] = [newIdentity(), newIdentity()];
			const real = store()[list];
			let [running, most] = [0, 0];
			store()[list] = (async (page: never) => {
				most = Math.max(most, ++running);
				return real(page).finally(() => running--);
			}) as never;
			const request = (callers: (typeof one)[]) => Promise.all(callers.map(caller => as(caller)(action, {})));
			await request([one, one, one, one])
				.then(() => assert.equal(most, 1))
				.then(() => request([one, other, one, other]))
				.finally(() => {
					store()[list] = real as never;
				});
			assert.equal(most, 2);
		});
};
