// Shows and their seat maps over HTTP.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdSeats, PRICED_SEATS, seatClients, seatsThatAre } from "./client.seats.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";

/** Not beside other tests: such a show keeps the embedded profile's one process busy. */
const largestShowStory = (plaza: () => System) =>
	describe("a show of 20,000 seats", () => {
		const { as, map } = seatClients(plaza);
		it("is made and read, and one more seat is refused", async () => {
			const admin = await as("admin");
			const seats = Array.from({ length: 20_001 }, (_, n) => ({
				seat: `R${Math.floor(n / 200)}-${(n % 200) + 1}`,
				row: `R${Math.floor(n / 200)}`,
				number: (n % 200) + 1,
				category: "arena",
				price: 10
			}));
			const asked = { name: "Arena", startsAt: "2030-05-01T19:30:00Z" };
			assertError(await admin.post("/api/shows", { ...asked, seats: seats.map(({ seat }) => seat) }), 422, "VALIDATION_ERROR");
			// On a busy machine it may be 503: then it took the service too long.
			const make = async () => {
				const { status, json, text } = await admin.post("/api/shows", { ...asked, seats: seats.slice(0, 20_000) });
				assert.equal(status, 201, text);
				return json.showId as string;
			};
			const { seats: listed } = await map(await eventually(make, "the largest show to be made", 120_000));
			assert.equal(listed.length, 20_000);
			assert.deepEqual(listed.at(-1), { ...seats[19_999], status: "free" });
		});
	});

/** The system must have been started with the tests' JWT_SECRET. */
export const showsStory = (plaza: () => System) => {
	largestShowStory(plaza);
	describe("shows", { concurrency: 4 }, () => {
		const { as, lastUrl, map, show, url } = seatClients(plaza);

		it("is made by an admin from names and described seats, listed, and shown to anyone with every seat free", async () => {
			const admin = await as("admin");
			const name = fresh("Hamlet");
			const startsAt = "2030-05-01T19:30:00.000Z";
			const made = await admin.post("/api/shows", { name, startsAt, seats: ["A1", "A2", ...PRICED_SEATS] });
			assert.equal(made.status, 201, made.text);
			const { showId } = made.json;
			assert.deepEqual([made.json.name, made.json.startsAt], [name, startsAt]);
			const anyone = httpClient(lastUrl());
			assert.deepEqual((await anyone.get(`/api/shows/${showId}`)).json, made.json);

			const { version, seats, ...rest } = await map(showId);
			assert.deepEqual(rest, { showId });
			assert.equal(typeof version, "number");
			assert.deepEqual(
				seats.map(({ seat, row, number }) => [seat, row, number]),
				[["A1", "A", 1], ["A2", "A", 2], ...PRICED_SEATS.map(({ seat, row, number }) => [seat, row, number])]
			);
			assert.deepEqual(
				seats.slice(2),
				PRICED_SEATS.map(one => ({ ...one, status: "free" }))
			);
			const [first] = seats;
			assert.deepEqual(Object.keys(first!).sort(), ["category", "number", "price", "row", "seat", "status"]);
			assert.equal(first?.status, "free");
			assertError(await anyone.get(`/api/shows/${fresh("show")}`), 404, "NOT_FOUND");
			assertError(await anyone.get(`/api/shows/${fresh("show")}/seats`), 404, "NOT_FOUND");
		});

		it("is found in the list of shows, which comes in pages", async () => {
			const [one, other] = [await show(["A1"]), await show(["A1"])];
			const anyone = httpClient(url());
			const page = async (query: string) => {
				const { status, json, text } = await anyone.get(`/api/shows?${query}`);
				assert.equal(status, 200, text);
				return (json as { showId: string }[]).map(({ showId }) => showId);
			};
			const seen: string[] = [];
			for (let after = ""; ; after = `&after=${seen.at(-1)}`) {
				const ids = await page(`limit=200${after}`);
				seen.push(...ids);
				if (ids.length < 200) break;
			}
			assert.equal(new Set(seen).size, seen.length);
			for (const id of [one, other]) assert.ok(seen.includes(id), `${id} is not in ${seen}`);
			const [first] = await page("limit=1");
			const [second] = await page(`limit=1&after=${first}`);
			assert.notEqual(first, second);
			assertError(await anyone.get("/api/shows?limit=201"), 422, "VALIDATION_ERROR");
		});

		it("is refused with what is wrong with it, and from everybody but an admin", async () => {
			const admin = await as("admin");
			const asked = { name: "Hamlet", startsAt: "2030-05-01T19:30:00Z", seats: ["A1"] };
			for (const [change, field] of [
				[{ name: "" }, "name"],
				[{ name: "Ham\u0000let" }, "name"],
				[{ name: "Ham\nlet" }, "name"],
				[{ startsAt: "tomorrow" }, "startsAt"],
				[{ seats: [] }, "seats"],
				[{ seats: ["A1", "A2", "A1"] }, "seats"],
				[{ seats: ["A\u00071"] }, "seats"],
				[{ seats: [""] }, "seats"],
				[{ seats: [{ ...PRICED_SEATS[0], price: -1 }] }, "seats"],
				[{ seats: [{ ...PRICED_SEATS[0], price: 1.005 }] }, "seats"],
				[{ seats: [{ ...PRICED_SEATS[0], category: "a\u0000b" }] }, "seats"],
				[{ queue: { opensAt: "soon", admitPerSecond: 1 } }, "queue"],
				[{ queue: { opensAt: "2030-05-01T19:30:00Z", admitPerSecond: 0 } }, "queue"]
			] as const) {
				const answer = await admin.post("/api/shows", { ...asked, ...change });
				assertError(answer, 422, "VALIDATION_ERROR", JSON.stringify(change));
				const [first] = answer.json.data;
				assert.ok(first.field.startsWith(field), answer.text);
			}
			assertError(await (await as()).post("/api/shows", asked), 403, "FORBIDDEN");
			assertError(await httpClient(url()).post("/api/shows", asked), 401, "UNAUTHORIZED");
		});

		it("answers 304 as long as the map has not changed, and a new version and ETag after each change", async () => {
			const [showId, buyer] = [await show(), await as()];
			const path = `/api/shows/${showId}/seats`;
			const read = (etag?: string) => httpClient(lastUrl()).get(path, etag === undefined ? {} : { "if-none-match": etag });
			let { json: before, headers } = await read();
			for (const change of [
				() => holdSeats(buyer, showId, ["A1", "A2"]),
				async () => assert.equal((await buyer.confirm((await buyer.openHolds())[0]!)).status, 200),
				() => holdSeats(buyer, showId, ["B1"]),
				async () => assert.equal((await buyer.release((await buyer.openHolds())[0]!)).status, 204)
			]) {
				const etag = headers.get("etag");
				assert.ok(etag, "the map has an ETag");
				const same = await read(etag);
				assert.deepEqual([same.status, same.text], [304, ""]);
				await change();
				const changed = await read(etag);
				assert.equal(changed.status, 200, changed.text);
				assert.equal(changed.json.version, before.version + 1);
				assert.notEqual(changed.headers.get("etag"), etag);
				assert.ok(!changed.text.includes(buyer.id), "the map says who");
				({ json: before, headers } = changed);
			}
			assert.deepEqual(seatsThatAre("sold", before), ["A1", "A2"]);
			assert.equal(seatsThatAre("free", before).length, 6);
		});
	});
};
