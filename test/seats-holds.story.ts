// Holds over HTTP: made, sold and released. What ends by itself is in seats-expiry.story.ts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
	type Account,
	buySeats,
	holdSeats,
	openAccount,
	PRICED_SEATS,
	seatClients,
	seatNames,
	seatsThatAre,
	statusesOf
} from "./client.seats.ts";
import { fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";

const HOLD_MS = 600_000;
/** Postgres and this process may run on different machines. */
const CLOCK_MS = 2_000;

/** The system must have been started with the tests' JWT_SECRET. */
export const holdsStory = (plaza: () => System) =>
	describe("a hold", { concurrency: 4 }, () => {
		const { as, lastUrl, map, show, url } = seatClients(plaza);
		const statuses = async (showId: string) => statusesOf(await map(showId));
		const taken = async (buyer: Account, showId: string, asked: string[]) => {
			const answer = await buyer.hold(showId, asked);
			assertError(answer, 409, "SEATS_TAKEN");
			return answer.json.data.taken.toSorted();
		};

		it("takes all the seats or none, for the time and the price that its answer says, and names all that are taken", async () => {
			const [showId, buyer, other] = [await show(PRICED_SEATS), await as(), await openAccount(lastUrl())];
			const beforeMs = Date.now();
			const { holdId, expiresAt, ...rest } = await holdSeats(buyer, showId, ["S1", "T1", "T2"]);
			assert.deepEqual(rest, { showId, seats: ["S1", "T1", "T2"], total: 30.8 });
			assert.match(expiresAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
			const endMs = Date.parse(expiresAt);
			assert.ok(endMs >= beforeMs + HOLD_MS - CLOCK_MS && endMs <= Date.now() + HOLD_MS + CLOCK_MS, expiresAt);
			assert.deepEqual(await statuses(showId), { S1: "held", S2: "free", S3: "free", T1: "held", T2: "held" });

			assert.deepEqual(await taken(other, showId, ["T2", "S2", "S1", "S3"]), ["S1", "T2"]);
			assert.deepEqual(await taken(buyer, showId, ["S1"]), ["S1"]);
			assert.equal((await buyer.confirm(holdId)).status, 200);
			assert.deepEqual(await taken(other, showId, ["S2", "T1"]), ["T1"]);
			assert.deepEqual(await statuses(showId), { S1: "sold", S2: "free", S3: "free", T1: "sold", T2: "sold" });
			await holdSeats(other, showId, ["S2", "S3"]);
		});

		it("is refused for a wrong number of seats, a repeated or an unknown seat, an unknown show, and without a token", async () => {
			const [showId, buyer] = [await show(), await as()];
			for (const asked of [
				{ seats: [] },
				{ seats: Array.from({ length: 11 }, (_, n) => `A${n}`) },
				{ seats: ["A1", "A1"] },
				{ seats: "A1" },
				{ seats: ["A\u00001"] },
				{ best: { count: 0 } },
				{ best: { count: 11 } },
				{ best: { count: 1.5 } },
				{ best: {} },
				{ seats: ["A1"], best: { count: 1 } },
				{}
			])
				assertError(await buyer.hold(showId, asked), 422, "VALIDATION_ERROR", JSON.stringify(asked));
			assertError(await buyer.hold(showId, ["A1", "Z9"]), 404);
			assertError(await buyer.hold(fresh("show"), ["A1"]), 404);
			assertError(await httpClient(url()).post(`/api/shows/${showId}/holds`, { seats: ["A1"] }), 401, "UNAUTHORIZED");
			assert.equal(seatsThatAre("free", await map(showId)).length, 8);
		});

		it("takes the best seats: side by side, nearest the front and middle, of the category that is asked for", async () => {
			const [showId, buyer] = [await show([...seatNames(3, 8), ...PRICED_SEATS]), await as()];
			const best = async (count: number, category?: string) =>
				(await holdSeats(buyer, showId, { best: { count, category } })).seats.toSorted();
			assert.deepEqual(await best(2), ["A4", "A5"]);
			assert.deepEqual(await best(8), seatNames(2, 8).slice(8));
			assert.deepEqual(await best(2, "circle"), ["T1", "T2"]);
			const none = await (await as()).hold(showId, { best: { count: 1, category: "circle" } });
			assertError(none, 409, "NOT_ENOUGH_SEATS");
		});

		it("leaves no single seat behind where that is possible", async () => {
			const showId = await show(seatNames(1, 5));
			await buySeats(await as(), showId, ["A1"]);
			const { seats } = await holdSeats(await as(), showId, { best: { count: 2 } });
			assert.deepEqual(seats.toSorted(), ["A2", "A3"]);
		});

		it("takes scattered seats if no row has enough side by side, and none if there are too few", async () => {
			const [showId, buyer] = [await show(seatNames(1, 5)), await as()];
			await buySeats(await as(), showId, ["A2", "A4"]);
			assertError(await buyer.hold(showId, { best: { count: 4 } }), 409, "NOT_ENOUGH_SEATS");
			assert.deepEqual((await holdSeats(buyer, showId, { best: { count: 3 } })).seats.toSorted(), ["A1", "A3", "A5"]);
		});

		it("is one of at most three open ones of a buyer and show, however many are asked for at once", async () => {
			const [showId, otherShow, buyer] = [await show(), await show(), await as()];
			const answers = await Promise.all(seatNames(2, 4).map(seat => buyer.hold(showId, [seat])));
			const open = answers.filter(({ status }) => status === 201).map(({ json }) => json);
			for (const answer of answers.filter(({ status }) => status !== 201)) assertError(answer, 409, "TOO_MANY_HOLDS");
			assert.equal(open.length, 3);
			assert.deepEqual((await buyer.openHolds()).toSorted(), open.map(({ holdId }) => holdId).toSorted());
			const free = seatsThatAre("free", await map(showId));
			assert.equal(free.length, 5);
			await holdSeats(buyer, otherShow, ["A1"]);
			await holdSeats(await as(), showId, [free[0]!]);

			assert.equal((await buyer.release(open[0]!.holdId)).status, 204);
			await holdSeats(buyer, showId, [free[1]!]);
			assertError(await buyer.hold(showId, [free[2]!]), 409, "TOO_MANY_HOLDS");
			assert.equal((await buyer.confirm(open[1]!.holdId)).status, 200);
			await holdSeats(buyer, showId, [free[2]!]);
		});

		it("is made once by fifty retries with one Idempotency-Key, which another request may not use", async () => {
			const [showId, buyer, other] = [await show(), await as(), await as()];
			const headers = { "idempotency-key": fresh("key") };
			const ask = (asked: object | string[] = { best: { count: 2 } }) => buyer.hold(showId, asked, headers);
			const answers = await Promise.all(Array.from({ length: 50 }, () => ask()));
			assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1, answers[0]?.text);
			assert.equal(answers[0]?.status, 201, answers[0]?.text);
			assert.equal((await buyer.openHolds()).length, 1);
			assertError(await ask(["B1"]), 409, "CONFLICT");
			const { holdId } = await holdSeats(other, showId, ["B1"], headers);
			assert.notEqual(holdId, answers[0]?.json.holdId);
			assert.equal((await buyer.confirm(answers[0]?.json.holdId)).status, 200);
			const again = await ask();
			assert.deepEqual(
				[again.status, again.json.holdId, again.json.seats],
				[201, answers[0]?.json.holdId, answers[0]?.json.seats]
			);
			assert.deepEqual(await buyer.openHolds(), []);
		});

		it("leaves one winner when two hundred buyers want the same two seats", async () => {
			const showId = await show();
			const buyers = await Promise.all(Array.from({ length: 200 }, (_, n) => openAccount(n % 2 ? url() : lastUrl())));
			const answers = await Promise.all(buyers.map((buyer, n) => buyer.hold(showId, n % 4 < 2 ? ["A1", "A2"] : ["A2", "A1"])));
			const won = answers.filter(({ status }) => status === 201);
			for (const answer of answers.filter(({ status }) => status !== 201)) {
				assertError(answer, 409, "SEATS_TAKEN");
				assert.deepEqual(answer.json.data.taken.toSorted(), ["A1", "A2"]);
			}
			assert.equal(won.length, 1);
		});

		it("is sold once, and a repeated confirmation gets the same answer", async () => {
			const [showId, buyer] = [await show(), await as()];
			const { holdId } = await holdSeats(buyer, showId, ["A1", "B4"]);
			const answers = await Promise.all(Array.from({ length: 20 }, () => buyer.confirm(holdId)));
			for (const { status, json } of answers)
				assert.deepEqual([status, json], [200, { holdId, showId, seats: ["A1", "B4"], status: "sold" }]);
			assert.deepEqual(seatsThatAre("sold", await map(showId)), ["A1", "B4"]);
			assertError(await buyer.release(holdId), 409);
			assert.deepEqual(seatsThatAre("sold", await map(showId)), ["A1", "B4"]);
			assert.deepEqual(await buyer.openHolds(), []);
		});

		it("gives its seats back once when it is released, and is not sold afterwards", async () => {
			const [showId, buyer, next] = [await show(), await as(), await as()];
			const headers = { "idempotency-key": fresh("key") };
			const { holdId } = await holdSeats(buyer, showId, ["A1", "A2"], headers);
			for (const again of [1, 2]) {
				const { status, text } = await buyer.release(holdId);
				assert.deepEqual([status, text], [204, ""], `release ${again}`);
			}
			assert.deepEqual(await buyer.openHolds(), []);
			assertError(await buyer.confirm(holdId), 409, "HOLD_EXPIRED");
			await holdSeats(next, showId, ["A1", "A2"]);
			// Late repeats find the seats with their next holder.
			assert.equal((await buyer.release(holdId)).status, 204);
			assertError(await buyer.confirm(holdId), 409, "HOLD_EXPIRED");
			assertError(await buyer.hold(showId, ["A1", "A2"], headers), 409);
			assert.deepEqual(seatsThatAre("held", await map(showId)), ["A1", "A2"]);
			assert.equal((await next.confirm((await next.openHolds())[0]!)).status, 200);
		});

		it("is shown to its buyer alone", async () => {
			const [showId, buyer, other] = [await show(), await as(), await as()];
			const hold = await holdSeats(buyer, showId, ["A1"]);
			for (const stranger of [other, await as("admin")])
				for (const answer of [await stranger.confirm(hold.holdId), await stranger.release(hold.holdId)])
					assertError(answer, 404, "NOT_FOUND");
			for (const answer of [await buyer.confirm(fresh("hold")), await buyer.release(fresh("hold"))])
				assertError(answer, 404, "NOT_FOUND");
			const { status, json } = await buyer.get("/api/holds");
			assert.deepEqual([status, json], [200, [hold]]);
			assert.deepEqual((await other.get("/api/holds")).json, []);
			const guest = httpClient(url());
			for (const answer of [
				await guest.get("/api/holds"),
				await guest.post(`/api/holds/${hold.holdId}/confirm`),
				await guest.send("DELETE", `/api/holds/${hold.holdId}`)
			])
				assertError(answer, 401, "UNAUTHORIZED");
			assert.deepEqual(seatsThatAre("held", await map(showId)), ["A1"]);
		});
	});
