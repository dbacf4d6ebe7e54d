// The promises of seats while many buyers come at once, and while something that they need fails.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { eventually } from "../../test/client.ts";
import { noTopics } from "../../test/no-topics.ts";
import { actions } from "../contract.ts";
import type { StatusCache } from "./seats.store.cache.ts";
import { HOLD_SECONDS, newIdentity, row, type SeatsNode } from "./seats.testing.ts";
import { seats } from "./seats.ts";

export const rushSuite = (node: SeatsNode) => {
	const { as, knex, store, outbox, newShow, statusesOf, published, passSeconds, brokenItems } = node;
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

	/** A second node of the service on the same tables, with its own options. */
	const withNode = async (
		{ cache = node.cache(), timeoutMs }: { cache?: StatusCache; timeoutMs?: number },
		use: (call: ReturnType<typeof as>, broker: ServiceBroker) => Promise<void>
	) => {
		const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
		broker.createService(seats(store(), cache, { mixins: [noTopics], timeoutMs }));
		await broker.start();
		const caller = newIdentity();
		const call = ((name: string, params: object) => broker.call(name, params, { meta: { caller } })) as ReturnType<typeof as>;
		await use(call, broker).finally(() => broker.stop());
	};

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

	describe("the cache of statuses", () => {
		/** Counts the maps that are read from Postgres meanwhile. */
		const countReads = async (work: () => Promise<void>) => {
			const real = store().findStatuses;
			let reads = 0;
			store().findStatuses = ids => {
				reads++;
				return real(ids);
			};
			await work().finally(() => {
				store().findStatuses = real;
			});
			return reads;
		};

		it("spares reading a map that has not changed, and is never older than the version", async () => {
			const id = await newShow();
			await withNode({}, async call => {
				const read = () => call("seats.seats", { id });
				assert.equal(await countReads(async () => assert.deepEqual(await read(), await read())), 1);
				await as(newIdentity())("seats.hold", { id, seats: ["A1"] });
				assert.equal(
					await countReads(async () => {
						for (let n = 0; n < 2; n++) {
							const { version, seats } = await read();
							assert.deepEqual([version, seats[0]?.status], [1, "held"]);
						}
					}),
					1
				);
			});
		});

		it("is not believed after Postgres was restored and counts the same version again", async () => {
			const id = await newShow();
			await withNode({}, async call => {
				const read = async () => (await call("seats.seats", { id })).seats.map(({ status }) => status[0]).join("");
				await as(newIdentity())("seats.hold", { id, seats: ["A1"] });
				assert.equal(await read(), "hfffffffff");
				// As if the last change had never been: what Postgres says then is a fact, also to those who have seen more.
				await knex().raw("update seats_levels set reserved = 0 where item = ?", [`${id}/A1`]);
				await knex().raw("delete from seats_movements where item = ? and kind = 'reserve'", [`${id}/A1`]);
				await knex().raw("update shows set version = 0, revision = gen_random_uuid() where id = ?", [id]);
				await as(newIdentity())("seats.hold", { id, seats: ["A2"] });
				assert.equal(await read(), "fhffffffff");
			});
		});

		it("may be unavailable or lose everything", async () => {
			const id = await newShow();
			const lost: StatusCache = { get: async () => undefined, set: () => {} };
			await withNode({ cache: lost }, async call => {
				for (let n = 0; n < 2; n++) assert.equal((await call("seats.seats", { id })).version, 0);
			});
		});
	});
};
