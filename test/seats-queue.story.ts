// The fair queue of a show over HTTP, and the event about a place.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openLive } from "./client.live.ts";
import { type Account, holdSeats, seatClients, seatNames, seatsThatAre } from "./client.seats.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";

/** The system must have been started with the tests' JWT_SECRET. */
export const seatQueueStory = (plaza: () => System) =>
	describe("the fair queue", { concurrency: 4 }, () => {
		const { as, map, show, url } = seatClients(plaza);

		const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
		const join = async (account: Account, showId: string) => {
			const { status, json, text } = await account.post(`/api/shows/${showId}/queue`);
			assert.equal(status, 200, text);
			assert.deepEqual(Object.keys(json).sort(), ["ahead", "state", "until"]);
			return json as { state: "waiting" | "admitted"; ahead: number; until: string };
		};

		it("lets nobody hold seats who is not admitted, and nobody in before it opens", async () => {
			const showId = await show(seatNames(1, 4), { queue: { opensAt: inMs(3_600_000), admitPerSecond: 1_000 } });
			const buyer = await as();
			assertError(await buyer.hold(showId, ["A1"]), 403, "NOT_ADMITTED");
			for (const _ of [1, 2]) assert.equal((await join(buyer, showId)).state, "waiting");
			assertError(await buyer.hold(showId, ["A1"]), 403, "NOT_ADMITTED");
			assertError(await buyer.hold(showId, { best: { count: 1 } }), 403, "NOT_ADMITTED");
			assertError(await httpClient(url()).post(`/api/shows/${showId}/queue`), 401, "UNAUTHORIZED");
			assertError(await buyer.post(`/api/shows/${fresh("show")}/queue`), 404, "NOT_FOUND");
			assert.deepEqual(seatsThatAre("held", await map(showId)), []);
		});

		it("admits accounts that join after the opening, sends `queue:updated` to all their sockets, and lets them hold seats", async () => {
			const showId = await show(seatNames(1, 4), { queue: { opensAt: inMs(-1_000), admitPerSecond: 50 } });
			const buyer = await as();
			const screens = await Promise.all(plaza().urls.map(one => openLive(one, buyer.token)));
			await join(buyer, showId);
			const admitted = await eventually(async () => {
				const place = await join(buyer, showId);
				assert.deepEqual([place.state, place.ahead], ["admitted", 0]);
				return place;
			}, "the buyer to be admitted");
			assert.ok(Date.parse(admitted.until) > Date.now(), admitted.until);
			for (const screen of screens)
				await screen.until(() => {
					const places = screen.of("queue:updated", ({ showId: id }) => id === showId);
					assert.deepEqual([places.at(-1)?.state, places.at(-1)?.ahead], ["admitted", 0]);
				}, "queue:updated on every screen");
			await holdSeats(buyer, showId, ["A1"]);
			for (const screen of screens) screen.close();
		});

		it("admits in the order in which they came, and says how many are ahead", async () => {
			// One is admitted at once, the next after a quarter of an hour.
			const showId = await show(seatNames(1, 4), { queue: { opensAt: inMs(-1_000), admitPerSecond: 0.001 } });
			const people = await Promise.all(Array.from({ length: 4 }, () => as()));
			for (const one of people) await join(one, showId);
			await eventually(async () => {
				const places = await Promise.all(people.map(one => join(one, showId)));
				assert.deepEqual(
					places.map(({ state, ahead }) => `${state} ${ahead}`),
					["admitted 0", "waiting 0", "waiting 1", "waiting 2"]
				);
			}, "the first one to be admitted, and the others to wait");
			await holdSeats(people[0]!, showId, ["A1"]);
			for (const one of people.slice(1)) assertError(await one.hold(showId, ["A2"]), 403, "NOT_ADMITTED");
		});
	});
