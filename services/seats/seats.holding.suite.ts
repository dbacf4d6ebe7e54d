// The promises of holding seats.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { HOLD_SECONDS, newIdentity, row, type SeatsNode } from "./seats.testing.ts";

const taken = (...seats: string[]) => ({ code: 409, type: "SEATS_TAKEN", data: { taken: seats } });

export const holdingSuite = (node: SeatsNode) => {
	const { as, knex, store, newShow, statusesOf, published, passSeconds } = node;
	const hold = (id: string, wanted: object, buyer = newIdentity()) => as(buyer)("seats.hold", { id, ...wanted });

	describe("holding named seats", () => {
		it("holds them for a limited time by Postgres' clock, shows it on the map and publishes it", async () => {
			const id = await newShow({ seats: [{ seat: "A1", price: 45.1 }, { seat: "A2", price: 0.2 }, "A3"] });
			const buyer = newIdentity();
			const { holdId, expiresAt, ...held } = await hold(id, { seats: ["A2", "A1"] }, buyer);
			assert.deepEqual(held, { showId: id, seats: ["A2", "A1"], total: 45.3 });
			const { rows } = await knex().raw(
				`select expires_at, extract(epoch from expires_at - now() - (select ahead from test_clock)) as left_seconds
				from seats_holders where holder = ?`,
				[holdId]
			);
			assert.equal(expiresAt, rows[0].expires_at.toISOString());
			assert.ok(rows[0].left_seconds > 0 && rows[0].left_seconds <= HOLD_SECONDS, rows[0].left_seconds);
			const map = await as()("seats.seats", { id });
			assert.deepEqual(
				map.seats.map(({ status }) => status),
				["held", "held", "free"]
			);
			assert.equal(map.version, 1);
			assert.ok(!JSON.stringify(map).includes(buyer.id), "the map says who holds a seat");
			const [message, ...more] = await published("seats.updated", id);
			assert.deepEqual(more, []);
			assert.deepEqual(
				{ ...message, seats: message?.seats.toSorted((a, b) => a.seat.localeCompare(b.seat)) },
				{ showId: id, version: 1, seats: ["A1", "A2"].map(seat => ({ seat, status: "held" })) }
			);
			assert.ok(node.lines.some(line => line.startsWith(`held seats: ${holdId} {`)));
		});

		it("is refused with all that are taken, and then holds none of them", async () => {
			const id = await newShow();
			await hold(id, { seats: ["A2", "A4"] });
			await assert.rejects(hold(id, { seats: ["A1", "A4", "A3", "A2"] }), taken("A4", "A2"));
			assert.deepEqual((await statusesOf(id)).slice(0, 4), ["free", "held", "free", "held"]);
			assert.equal((await published("seats.updated", id)).length, 1);
			await hold(id, { seats: ["A1", "A3"] });
		});

		it("is refused with all seats that the show does not have", async () => {
			const id = await newShow();
			await assert.rejects(hold(id, { seats: ["A1", "Z9", "a1"] }), {
				code: 404,
				type: "NOT_FOUND",
				data: { seats: ["Z9", "a1"] }
			});
			assert.deepEqual(await statusesOf(id), Array(10).fill("free"));
		});

		it("is refused with an invalid list of seats, or without one", async () => {
			const id = await newShow({ seats: row(12) });
			const either = "give either seats or best";
			for (const [wanted, field, message] of [
				[{ seats: [] }, "seats", "must have at least one seat"],
				[{ seats: row(11) }, "seats", "must have at most 10 seats"],
				[{ seats: ["A1", "A1"] }, "seats.1", "is the same seat as seats.0"],
				[{ seats: ["A1", "A\u00072"] }, "seats.1", "must not contain control characters"],
				[{ best: { count: 0 } }, "best.count", "must be at least 1"],
				[{ best: { count: 11 } }, "best.count", "must be at most 10"],
				[{}, "seats", either],
				[{ seats: ["A1"], best: { count: 1 } }, "seats", either]
			] as const)
				await assert.rejects(hold(id, wanted), { code: 422, data: [{ field, message }] }, JSON.stringify(wanted));
			assert.deepEqual(await statusesOf(id), Array(12).fill("free"));
			assert.equal((await hold(id, { seats: row(10) })).seats.length, 10);
		});

		it("is refused without an account", async () => {
			const id = await newShow();
			await assert.rejects(as()("seats.hold", { id, seats: ["A1"] }), { code: 401, type: "UNAUTHORIZED" });
		});

		it("is refused for a fourth open hold of the buyer and the show, also if they come together", async () => {
			const [id, other, buyer] = [await newShow(), await newShow(), newIdentity()];
			const tooMany = { code: 409, type: "TOO_MANY_HOLDS" };
			const answers = await Promise.allSettled(row(10).map(seat => hold(id, { seats: [seat] }, buyer)));
			const held = answers.flatMap(answer => (answer.status === "fulfilled" ? [answer.value] : []));
			assert.equal(held.length, 3);
			for (const answer of answers)
				if (answer.status === "rejected") assert.equal(answer.reason.type, tooMany.type, answer.reason.message);
			assert.deepEqual(
				(await statusesOf(id)).filter(status => status === "held"),
				Array(3).fill("held")
			);
			// Before it says that seats are taken.
			await assert.rejects(hold(id, { seats: held[0]!.seats }, buyer), tooMany);
			await assert.rejects(hold(id, { best: { count: 10 } }, buyer), tooMany);
			await hold(other, { seats: ["A1"] }, buyer);
			await as(buyer)("seats.confirm", { id: held[0]!.holdId });
			const next = await hold(id, { best: { count: 1 } }, buyer);
			await as(buyer)("seats.release", { id: next.holdId });
			await hold(id, { best: { count: 1 } }, buyer);
			await assert.rejects(hold(id, { best: { count: 1 } }, buyer), tooMany);
			await passSeconds(HOLD_SECONDS);
			await hold(id, { best: { count: 1 } }, buyer);
		});

		it("is refused to those who are not admitted, before it says what else is wrong", async () => {
			const queue = { opensAt: "2036-02-01T10:00:00.000Z", admitPerSecond: 1 };
			const id = await newShow({ seats: row(2), queue });
			const notAdmitted = { code: 403, type: "NOT_ADMITTED" };
			await assert.rejects(hold(id, { seats: ["A1"] }), notAdmitted);
			await assert.rejects(hold(id, { best: { count: 1 } }), notAdmitted);
			await assert.rejects(hold(id, { best: { count: 3 } }), notAdmitted);
			await assert.rejects(hold(id, { seats: ["B1"] }), { code: 404 });
			assert.deepEqual(await statusesOf(id), ["free", "free"]);
		});
	});

	describe("holding the best seats", () => {
		it("holds those that are side by side and near the middle, of the wanted category", async () => {
			const seats = [..."ABC"].flatMap(name =>
				row(8, name).map(seat => ({ seat, category: name === "C" ? "balcony" : "stalls", price: 10 }))
			);
			const id = await newShow({ seats });
			assert.deepEqual((await hold(id, { best: { count: 2 } })).seats, ["A4", "A5"]);
			assert.deepEqual((await hold(id, { best: { count: 2, category: "balcony" } })).seats, ["C4", "C5"]);
			assert.deepEqual((await hold(id, { best: { count: 4, category: "stalls" } })).seats, ["B3", "B4", "B5", "B6"]);
			await assert.rejects(hold(id, { best: { count: 7, category: "balcony" } }), {
				code: 409,
				type: "NOT_ENOUGH_SEATS",
				data: { requested: 7, available: 6 }
			});
			await assert.rejects(hold(id, { best: { count: 1, category: "pit" } }), { type: "NOT_ENOUGH_SEATS" });
		});

		it("gives requests that come together different seats", async () => {
			const id = await newShow();
			const holds = await Promise.all(Array.from({ length: 5 }, () => hold(id, { best: { count: 2 } })));
			assert.deepEqual(holds.flatMap(({ seats }) => seats).toSorted(), row(10).toSorted());
			await assert.rejects(hold(id, { best: { count: 1 } }), { type: "NOT_ENOUGH_SEATS", data: { requested: 1, available: 0 } });
		});

		/** Until `times` calls, the store reads the statuses as they are now. */
		const outdateStatuses = async (id: string, times: number) => {
			const [real, outdated] = [store().findStatuses, await store().findStatuses([id])];
			let calls = 0;
			store().findStatuses = ids => (ids.includes(id) && ++calls <= times ? Promise.resolve(outdated) : real(ids));
			const restore = () => {
				store().findStatuses = real;
			};
			return { calls: () => calls, restore };
		};

		it("chooses again if another buyer was faster, and gives up after three more times", async () => {
			const id = await newShow();
			const twice = await outdateStatuses(id, 2);
			await hold(id, { seats: ["A5", "A6"] });
			assert.deepEqual((await hold(id, { best: { count: 2 } })).seats, ["A3", "A4"]);
			assert.equal(twice.calls(), 3);
			twice.restore();
			const always = await outdateStatuses(id, 100);
			await hold(id, { seats: ["A7"] });
			await assert.rejects(hold(id, { best: { count: 4 } }), taken("A7"));
			assert.equal(always.calls(), 4);
			always.restore();
			assert.equal((await hold(id, { best: { count: 4 } })).seats.length, 4);
		});

		it("does not read the map for a buyer who may not hold any seats", async () => {
			const [id, buyer] = [await newShow(), newIdentity()];
			for (const seat of row(3)) await hold(id, { seats: [seat] }, buyer);
			const reads = await outdateStatuses(id, 0);
			await assert.rejects(hold(id, { best: { count: 1 } }, buyer), { type: "TOO_MANY_HOLDS" });
			assert.equal(reads.calls(), 0);
			assert.equal((await hold(id, { best: { count: 1 } })).seats.length, 1);
			assert.equal(reads.calls(), 1);
			reads.restore();
		});

		it("tells a buyer who gets the last hold in the same batch that these are too many holds, not that there are too few seats", async () => {
			const [id, buyer] = [await newShow({ seats: row(3) }), newIdentity()];
			for (const seat of ["A1", "A2"]) await hold(id, { seats: [seat] }, buyer);
			const answers = await Promise.allSettled([1, 1].map(count => hold(id, { best: { count } }, buyer)));
			assert.deepEqual(
				answers.map(answer => (answer.status === "fulfilled" ? answer.value.seats : answer.reason.type)),
				[["A3"], "TOO_MANY_HOLDS"]
			);
		});

		it("says that there are too few only if the others of its batch have got theirs", async () => {
			const [id, buyer] = [await newShow({ seats: row(6) }), newIdentity()];
			for (const seat of row(3)) await hold(id, { seats: [seat] }, buyer);
			// The first may not hold any; the second needs the seats that were chosen for it.
			const [first, second] = await Promise.allSettled([
				hold(id, { best: { count: 3 } }, buyer),
				hold(id, { best: { count: 3 } })
			]);
			assert.equal(first.status === "rejected" && first.reason.type, "TOO_MANY_HOLDS");
			assert.deepEqual(second.status === "fulfilled" && second.value.seats, ["A4", "A5", "A6"]);
		});

		it("counts seats as free whose hold has expired", async () => {
			const id = await newShow({ seats: row(2) });
			await hold(id, { seats: ["A1", "A2"] });
			await assert.rejects(hold(id, { best: { count: 1 } }), { type: "NOT_ENOUGH_SEATS" });
			await passSeconds(HOLD_SECONDS);
			assert.deepEqual((await hold(id, { best: { count: 2 } })).seats, ["A1", "A2"]);
		});
	});

	describe("an idempotency key", () => {
		const newKey = () => ({ idempotencyKey: randomUUID() });
		const countHolds = async (buyerId: string) => (await knex()("seat_holds").where({ buyer_id: buyerId })).length;

		for (const [name, wanted] of [
			["named seats", { seats: ["A1", "A2"] }],
			["the best seats", { best: { count: 2 } }]
		] as const)
			it(`makes many requests for ${name} one hold, and keeps its answer while it is open and when it is sold`, async () => {
				const [id, buyer, key] = [await newShow(), newIdentity(), newKey()];
				const ask = () => hold(id, { ...wanted, ...key }, buyer);
				const [first, ...others] = await Promise.all(Array.from({ length: 20 }, ask));
				for (const answer of [...others, await ask()]) assert.deepEqual(answer, first);
				assert.equal(await countHolds(buyer.id), 1);
				await as(buyer)("seats.confirm", { id: first!.holdId });
				await passSeconds(HOLD_SECONDS);
				assert.deepEqual(await ask(), first);
				assert.equal((await published("seats.updated", id)).length, 2);
			});

		it("belongs to one buyer and one show", async () => {
			const [id, other, buyer, key] = [await newShow(), await newShow(), newIdentity(), newKey()];
			const request = { best: { count: 1 }, ...key };
			const holds = [await hold(id, request, buyer), await hold(id, request), await hold(other, request, buyer)];
			assert.equal(new Set(holds.map(({ holdId }) => holdId)).size, 3);
		});

		it("is refused for another request, also if both come together", async () => {
			const [id, buyer, key] = [await newShow(), newIdentity(), newKey()];
			const { holdId } = await hold(id, { seats: ["A1"], ...key }, buyer);
			const conflict = { code: 409, type: "CONFLICT", data: { holdId } };
			for (const wanted of [{ seats: ["A2"] }, { seats: ["A1", "A2"] }, { best: { count: 1 } }])
				await assert.rejects(hold(id, { ...wanted, ...key }, buyer), conflict);
			const second = newKey();
			const answers = await Promise.allSettled(["A5", "A6"].map(seat => hold(id, { seats: [seat], ...second }, buyer)));
			assert.deepEqual(
				answers.map(answer => (answer.status === "fulfilled" ? "held" : answer.reason.type)),
				["held", "CONFLICT"]
			);
			assert.deepEqual((await statusesOf(id)).map(status => status[0]).join(""), "hfffhfffff");
			const third = newKey();
			const refused = await Promise.allSettled(["A1", "A2"].map(seat => hold(id, { seats: [seat], ...third }, buyer)));
			assert.deepEqual(
				refused.map(answer => answer.status === "rejected" && answer.reason.type),
				["SEATS_TAKEN", "CONFLICT"],
				"the first is refused"
			);
		});

		it("of a hold that has ended gets no seats, and never those of the next holder", async () => {
			const [id, buyer, next] = [await newShow(), newIdentity(), newIdentity()];
			const [expired, released] = [
				{ seats: ["A1"], ...newKey() },
				{ seats: ["A2"], ...newKey() }
			];
			const first = await hold(id, expired, buyer);
			const second = await hold(id, released, buyer);
			await as(buyer)("seats.release", { id: second.holdId });
			await passSeconds(HOLD_SECONDS);
			const ended = ({ holdId }: { holdId: string }) => ({ code: 409, type: "HOLD_EXPIRED", data: { holdId } });
			await assert.rejects(hold(id, expired, buyer), ended(first), "before anybody has noticed");
			const taken = await hold(id, { seats: ["A1", "A2"] }, next);
			await assert.rejects(hold(id, expired, buyer), ended(first));
			await assert.rejects(hold(id, released, buyer), ended(second));
			assert.equal((await as(next)("seats.confirm", { id: taken.holdId })).status, "sold");
			await assert.rejects(hold(id, expired, buyer), ended(first));
		});

		it("of a refused request may be tried again", async () => {
			const [id, buyer, other, request] = [await newShow(), newIdentity(), newIdentity(), { seats: ["A1"], ...newKey() }];
			const { holdId } = await hold(id, { seats: ["A1"] }, other);
			await assert.rejects(hold(id, request, buyer), taken("A1"));
			await as(other)("seats.release", { id: holdId });
			assert.deepEqual((await hold(id, request, buyer)).seats, ["A1"]);
		});
	});
};
