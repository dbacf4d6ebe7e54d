// The promises of shows and seat maps.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { toSeat } from "./seats.rules.ts";
import { newIdentity, row, type SeatsNode } from "./seats.testing.ts";

export const showsSuite = ({ as, knex, newShow, store, lines }: SeatsNode) =>
	describe("a show", () => {
		const admin = newIdentity("admin");
		const request = { name: "Hamlet", startsAt: "2036-03-01T19:30:00+02:00", seats: ["A1"] as unknown[] };
		const create = (change: object) => as(admin)("seats.createShow", { ...request, ...change } as never);
		const countRows = async () => {
			const tables = ["shows", "show_seats", "seats_levels", "seats_movements"];
			const counts = await Promise.all(tables.map(table => knex()(table).count().first()));
			return counts.map(one => Number(one?.count));
		};

		it("is answered with its seats in their order, all of them free", async () => {
			const seats = [
				{ seat: "B7", row: "B", number: 7, category: "balcony", price: 12.5 },
				"A1",
				{ seat: "Box", price: 80 },
				{ seat: "C/1", category: "stalls" }
			];
			const show = await create({ name: "  Hamlet  ", seats });
			const { showId, createdAt } = show;
			assert.deepEqual(show, {
				showId,
				name: "Hamlet",
				startsAt: "2036-03-01T17:30:00.000Z",
				seatCount: 4,
				createdAt
			});
			assert.ok(lines.some(line => line.startsWith("created a show") && line.includes(showId) && line.includes(admin.id)));
			assert.deepEqual(await as()("seats.show", { id: showId }), show);
			assert.deepEqual(await as()("seats.seats", { id: showId }), {
				showId,
				version: 0,
				seats: [
					{ seat: "B7", row: "B", number: 7, category: "balcony", price: 12.5, status: "free" },
					{ seat: "A1", row: "A", number: 1, category: "general", price: 0, status: "free" },
					{ seat: "Box", row: "Box", number: 1, category: "general", price: 80, status: "free" },
					{ seat: "C/1", row: "C/", number: 1, category: "stalls", price: 0, status: "free" }
				]
			});
		});

		it("may have a queue, with a secret that no answer contains", async () => {
			const queue = { opensAt: "2036-02-01T10:00:00.000Z", admitPerSecond: 0.5 };
			const show = await create({ queue });
			assert.deepEqual(show.queue, queue);
			const stored = await knex()("shows").where({ id: show.showId }).first();
			assert.ok(stored.queue_secret.length >= 64);
			assert.ok(!JSON.stringify(show).includes(stored.queue_secret));
			assert.equal(
				(
					await knex()("shows")
						.where({ id: await newShow() })
						.first()
				).queue_secret,
				null
			);
		});

		it("is listed, the newest first, page by page", async () => {
			const ids = [await newShow(), await newShow(), await newShow()];
			const first = await as()("seats.shows", { limit: 2 });
			assert.deepEqual(
				first.map(({ showId }) => showId),
				[ids[2], ids[1]]
			);
			const [next] = await as()("seats.shows", { limit: 1, after: first[1]!.showId });
			assert.equal(next?.showId, ids[0]);
			await assert.rejects(as()("seats.shows", { after: randomUUID() }), { code: 422, type: "VALIDATION_ERROR" });
		});

		it("that does not exist is 404", async () => {
			const id = randomUUID();
			for (const action of ["seats.show", "seats.seats", "seats.join"] as const)
				await assert.rejects(as(admin)(action, { id }), { code: 404, type: "NOT_FOUND" }, action);
			await assert.rejects(as(admin)("seats.hold", { id, seats: ["A1"] }), { code: 404, type: "NOT_FOUND" });
			await assert.rejects(as(admin)("seats.hold", { id, best: { count: 1 } }), { code: 404, type: "NOT_FOUND" });
		});

		it("has at most 20,000 seats, and all of them", async () => {
			const names = row(20_001);
			await assert.rejects(create({ seats: names }), {
				code: 422,
				data: [{ field: "seats", message: "must have at most 20000 seats" }]
			});
			const { showId, seatCount } = await create({ seats: names.slice(1) });
			assert.equal(seatCount, 20_000);
			const { seats } = await as()("seats.seats", { id: showId });
			assert.deepEqual(
				seats.map(({ seat }) => seat),
				names.slice(1)
			);
		});

		it("is refused with invalid fields, each of which the error names", async () => {
			const before = await countRows();
			const sameSeat = (n: number) => `is the same seat as seats.${n}`;
			for (const [change, field, message] of [
				[{ seats: [] }, "seats", "must have at least one seat"],
				[{ seats: ["A1", "A1"] }, "seats.1", sameSeat(0)],
				[{ seats: ["A1", "A2", { seat: "A2", price: 3 }] }, "seats.2", sameSeat(1)],
				[{ seats: ["A\n1"] }, "seats.0.seat", "must not contain control characters"],
				[{ seats: ["A1", "\u0000"] }, "seats.1.seat", "must not contain control characters"],
				[{ seats: [" A1"] }, "seats.0.seat", "must not begin or end with a space"],
				[{ seats: [""] }, "seats.0.seat", "must not be empty"],
				[{ seats: [7] }, "seats.0", "must be the name of a seat, or have the fields seat, row, number, category and price"],
				[{ seats: [{ row: "A" }] }, "seats.0.seat", "is required"],
				[{ seats: [{ seat: "A1", prize: 1 }] }, "seats.0.prize", "is not known here"],
				[{ seats: [{ seat: "A1", price: -1 }] }, "seats.0.price", "must not be negative"],
				[{ seats: [{ seat: "A1", price: 0.001 }] }, "seats.0.price", "must have at most 2 decimals"],
				[{ seats: [{ seat: "A1", category: "a\u0007" }] }, "seats.0.category", "must not contain control characters"],
				[{ seats: [{ seat: "A1", number: 1.5 }] }, "seats.0.number", "must be a whole number"],
				[{ name: "Ham\tlet" }, "name", "must not contain control characters"],
				[{ name: "\u200b" }, "name", "must contain a visible character"],
				[{ startsAt: "tomorrow" }, "startsAt", "must be a date and time in ISO 8601, such as 2026-01-31T12:00:00Z"],
				[{ startsAt: "0000-12-31T23:59:59Z" }, "startsAt", "must be in the years 1 to 9999 UTC"],
				[{ startsAt: "9999-12-31T23:59:59-23:59" }, "startsAt", "must be in the years 1 to 9999 UTC"],
				[{ queue: { opensAt: request.startsAt, admitPerSecond: 0 } }, "queue.admitPerSecond", "must be greater than 0"],
				[
					{ queue: { opensAt: "0001-01-01T00:00:00+01:00", admitPerSecond: 1 } },
					"queue.opensAt",
					"must be in the years 1 to 9999 UTC"
				]
			] as const)
				await assert.rejects(create(change), { code: 422, data: [{ field, message }] }, JSON.stringify(change));
			assert.deepEqual(await countRows(), before);
		});

		it("that cannot be stored is refused, and nothing of it is stored", async () => {
			const before = await countRows();
			await assert.rejects(create({ startsAt: "0000-01-01T00:00:00Z" }), { code: 422, type: "VALIDATION_ERROR" });
			const show = { name: "late", startsAt: new Date(), seats: row(3).map(seat => toSeat({ seat })) };
			await assert.rejects(
				store().createShow(show, () => true),
				{ code: 503, type: "UNAVAILABLE" }
			);
			assert.deepEqual(await countRows(), before);
		});
	});
