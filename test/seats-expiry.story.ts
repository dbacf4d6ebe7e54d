// Holds that end by themselves: their seats become free, nothing sells them later, and screens and buyers get an event.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openLive } from "./client.live.ts";
import { buySeats, holdSeats, newShow, openAccount, seatMapOf, seatNames, seatsThatAre } from "./client.seats.ts";
import { eventually, fresh } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";

/** The time of a hold in these tests. */
export const SHORT_HOLDS = { HOLD_SECONDS: "2" };
/** Postgres and this process may run on different machines. */
const CLOCK_MS = 200;
const RACING = 8;
const RACE_MS = 150;

/** The system must have been started with SHORT_HOLDS and the tests' JWT_SECRET. */
export const seatsExpiryStory = (plaza: () => System) =>
	describe("holds that end", { concurrency: 4 }, () => {
		const as = (n = 0) => openAccount(plaza().urls.at(-n) as string);
		const show = () => newShow(plaza().url, seatNames(4, 6));
		const map = (showId: string) => seatMapOf(plaza().url, showId);
		const untilEnd = ({ expiresAt }: { expiresAt: string }) => delay(Date.parse(expiresAt) - Date.now() + CLOCK_MS);

		it("are shown free on the map and on screens, and their buyer gets an event, though no other request wants the seats", async () => {
			const [showId, buyer, watcher] = [await show(), await as(), await as()];
			const [screen, own] = [await openLive(plaza().urls.at(-1)!, watcher.token), await openLive(plaza().url, buyer.token)];
			const { seats: snapshot } = (await screen.emitWithAck("subscribe:seats", { showId })) as { seats: { version: number } };
			const { holdId } = await holdSeats(buyer, showId, ["A1", "A2"]);
			await screen.until(() => {
				const changes = screen.of("seats:updated");
				assert.deepEqual(
					changes.map(({ version, seats }) => [
						version - snapshot.version,
						seats.map(({ status }: { status: string }) => status)
					]),
					[
						[1, ["held", "held"]],
						[2, ["free", "free"]]
					]
				);
			}, "the hold and its end on the screen");
			assert.deepEqual(seatsThatAre("held", await map(showId)), []);
			await own.until(
				() => assert.deepEqual(own.of("hold:expired"), [{ holdId, showId, seats: ["A1", "A2"] }]),
				"hold:expired to the buyer"
			);
			assert.deepEqual(screen.of("hold:expired"), [], "another user got the event");
			assert.deepEqual(await buyer.openHolds(), []);
			for (const one of [screen, own]) one.close();
		});

		it("are not sold, even if nobody else has taken the seats, and can be released again and again", async () => {
			const [showId, buyer] = [await show(), await as()];
			const ended = await holdSeats(buyer, showId, ["A1"]);
			await untilEnd(ended);
			for (const _ of [1, 2]) assertError(await buyer.confirm(ended.holdId), 409, "HOLD_EXPIRED");
			for (const _ of [1, 2]) assert.equal((await buyer.release(ended.holdId)).status, 204);
			assertError(await buyer.confirm(ended.holdId), 409, "HOLD_EXPIRED");
			assert.deepEqual(seatsThatAre("sold", await map(showId)), []);
		});

		it("can be held by the next buyer at once", async () => {
			const [showId, buyer, next] = [await show(), await as(), await as(1)];
			await untilEnd(await holdSeats(buyer, showId, ["A1", "A2"]));
			await holdSeats(next, showId, ["A2", "A3"]);
		});

		it("do not count as open ones of their buyer", async () => {
			const [showId, buyer] = [await show(), await as()];
			const three = await Promise.all(["A1", "A2", "A3"].map(seat => holdSeats(buyer, showId, [seat])));
			await Promise.all(three.map(untilEnd));
			await holdSeats(buyer, showId, ["A4"]);
		});

		it("stay ended for late retries after the seats have another holder", async () => {
			const [showId, buyer, next] = [await show(), await as(), await as(1)];
			const headers = { "idempotency-key": fresh("key") };
			const ended = await holdSeats(buyer, showId, ["A1"], headers);
			await untilEnd(ended);
			await buySeats(next, showId, ["A1"]);
			assertError(await buyer.hold(showId, ["A1"], headers), 409);
			assertError(await buyer.confirm(ended.holdId), 409, "HOLD_EXPIRED");
			assert.equal((await buyer.release(ended.holdId)).status, 204);
			assert.deepEqual(seatsThatAre("sold", await map(showId)), ["A1"]);
		});

		it("are sold or ended, never both, when they are confirmed in the moment in which they end", async () => {
			const showId = await show();
			const seats = seatNames(4, 6).slice(0, RACING * 2);
			const outcomes = await Promise.all(
				seats.map(async (seat, n) => {
					const buyer = await as(n % 2);
					const { holdId, expiresAt } = await holdSeats(buyer, showId, [seat]);
					await delay(Date.parse(expiresAt) - Date.now() + ((n - RACING) / RACING) * RACE_MS);
					const { status, json, text } = await buyer.confirm(holdId);
					if (status !== 200) assert.deepEqual([status, json.type], [409, "HOLD_EXPIRED"], text);
					return { seat, buyer, holdId, isSold: status === 200 };
				})
			);
			await eventually(
				async () => assert.deepEqual(seatsThatAre("held", await map(showId)), []),
				"every hold to be sold or ended"
			);
			const sold = outcomes.filter(({ isSold }) => isSold).map(({ seat }) => seat);
			assert.deepEqual(seatsThatAre("sold", await map(showId)).toSorted(), sold.toSorted());
			for (const { buyer, holdId, isSold } of outcomes) assert.equal((await buyer.confirm(holdId)).status, isSold ? 200 : 409);
			const next = await as();
			for (const { seat } of outcomes.filter(({ isSold }) => !isSold)) await buySeats(next, showId, [seat]);
		});
	});
