// The seat map live: screens that subscribe over Socket.IO.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openLive } from "./client.live.ts";
import { holdSeats, seatClients } from "./client.seats.ts";
import { fresh } from "./client.ts";
import type { System } from "./system.ts";

/** The system must have been started with the tests' JWT_SECRET. */
export const seatScreensStory = (plaza: () => System) =>
	describe("screens with a seat map", { concurrency: 4 }, () => {
		const { as, map, show, url } = seatClients(plaza);

		it("pushes every change of a show to those who subscribed, on every gateway, until they unsubscribe", async () => {
			const [showId, otherShow, buyer, watcher] = [await show(), await show(), await as(), await as()];
			const screens = await Promise.all(plaza().urls.map(one => openLive(one, watcher.token)));
			const bystander = await openLive(url(), watcher.token);
			const snapshot = await map(showId);
			for (const screen of screens)
				assert.deepEqual(await screen.emitWithAck("subscribe:seats", { showId }), { ok: true, seats: snapshot });

			const { holdId } = await holdSeats(buyer, showId, ["A1", "B2"]);
			await holdSeats(buyer, otherShow, ["A1"]);
			await buyer.confirm(holdId);
			await buyer.release((await holdSeats(buyer, showId, ["A2"])).holdId);
			const { version } = snapshot;
			const wanted = [
				{
					showId,
					version: version + 1,
					seats: [
						["A1", "held"],
						["B2", "held"]
					]
				},
				{
					showId,
					version: version + 2,
					seats: [
						["A1", "sold"],
						["B2", "sold"]
					]
				},
				{ showId, version: version + 3, seats: [["A2", "held"]] },
				{ showId, version: version + 4, seats: [["A2", "free"]] }
			].map(({ seats, ...change }) => ({ ...change, seats: seats.map(([seat, status]) => ({ seat, status })) }));
			const sorted = (changes: { seats: { seat: string }[] }[]) =>
				changes.map(({ seats, ...change }) => ({ ...change, seats: seats.toSorted((a, b) => a.seat.localeCompare(b.seat)) }));
			for (const screen of screens)
				await screen.until(() => assert.deepEqual(sorted(screen.of("seats:updated")), wanted), "all four changes");

			const [first] = screens;
			assert.deepEqual(await first!.emitWithAck("unsubscribe:seats", { showId }), { ok: true });
			await holdSeats(buyer, showId, ["B1"]);
			if (screens.length > 1)
				await screens[1]!.until(() => assert.equal(screens[1]!.of("seats:updated").length, 5), "the fifth change");
			const again = (await first!.emitWithAck("subscribe:seats", { showId })) as { seats: { version: number } };
			assert.equal(again.seats.version, version + 5);
			await holdSeats(buyer, showId, ["B4"]);
			await first!.until(() => assert.equal(first!.of("seats:updated").at(-1).version, version + 6), "the sixth change");
			assert.equal(first!.of("seats:updated").length, 5, "the fifth change was pushed to a screen that had unsubscribed");
			assert.deepEqual(bystander.of("seats:updated"), []);
			for (const one of [...screens, bystander]) one.close();
		});

		it("refuses a subscription to an unknown show", async () => {
			const screen = await openLive(url(), (await as()).token);
			for (const asked of [{ showId: fresh("show") }, {}, undefined, { showId: 1 }, "show"]) {
				const answer = (await screen.emitWithAck("subscribe:seats", ...(asked === undefined ? [] : [asked]))) as { ok: boolean };
				assert.equal(answer.ok, false, JSON.stringify(answer));
			}
			screen.close();
		});
	});
