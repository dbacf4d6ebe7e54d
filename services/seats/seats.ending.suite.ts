// The promises of confirming, releasing and expiring holds.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import { startSweep } from "./seats.sweep.ts";
import { HOLD_SECONDS, newIdentity, row, type SeatsNode } from "./seats.testing.ts";

const NOT_FOUND = { code: 404, type: "NOT_FOUND" };
const EXPIRED = { code: 409, type: "HOLD_EXPIRED" };

export const endingSuite = ({ as, store, newShow, statusesOf, published, passSeconds, lines }: SeatsNode) => {
	/** A buyer who holds these seats of a new show. */
	const newHold = async (seats: string[], id?: string) => {
		const showId = id ?? (await newShow());
		const buyer = newIdentity();
		const { holdId } = await as(buyer)("seats.hold", { id: showId, seats });
		return { showId, buyer, call: as(buyer), holdId, byID: { id: holdId } };
	};
	const changesOf = async (showId: string) =>
		(await published("seats.updated", showId)).map(({ version, seats }) => [
			version,
			seats.map(({ seat, status }) => `${seat} ${status}`).toSorted()
		]);

	describe("confirming a hold", () => {
		it("sells its seats once, and answers the same again", async () => {
			const { showId, call, byID, holdId } = await newHold(["A1", "A2"]);
			const sold = { holdId, showId, seats: ["A1", "A2"], status: "sold" };
			const answers = await Promise.all([1, 2, 3].map(() => call("seats.confirm", byID)));
			await passSeconds(HOLD_SECONDS);
			for (const answer of [...answers, await call("seats.confirm", byID)]) assert.deepEqual(answer, sold);
			assert.deepEqual((await statusesOf(showId)).slice(0, 3), ["sold", "sold", "free"]);
			assert.deepEqual(await changesOf(showId), [
				[1, ["A1 held", "A2 held"]],
				[2, ["A1 sold", "A2 sold"]]
			]);
			assert.ok(lines.some(line => line.startsWith("sold the seats of holds:") && line.includes(holdId)));
		});

		it("is refused after its end, even if nobody else has taken the seats", async () => {
			const { showId, call, byID } = await newHold(["A1"]);
			await passSeconds(HOLD_SECONDS);
			await assert.rejects(call("seats.confirm", byID), EXPIRED);
			assert.deepEqual(await changesOf(showId), [[1, ["A1 held"]]]);
			await store().expire(500);
			await assert.rejects(call("seats.confirm", byID), EXPIRED);
			assert.equal((await statusesOf(showId))[0], "free");
		});

		it("is refused for a released hold", async () => {
			const { call, byID } = await newHold(["A1"]);
			await call("seats.release", byID);
			await assert.rejects(call("seats.confirm", byID), EXPIRED);
		});

		it("either sells or expires, whichever comes first", async () => {
			const id = await newShow({ seats: row(50) });
			const holds = await Promise.all(row(50).map(seat => newHold([seat], id)));
			await passSeconds(HOLD_SECONDS - 1);
			const confirmed = Promise.allSettled(holds.map(({ call, byID }) => call("seats.confirm", byID)));
			const [answers] = await Promise.all([confirmed, passSeconds(1), store().expire(500), store().expire(500)]);
			await store().expire(500);
			const statuses = await statusesOf(id);
			for (const [n, answer] of answers.entries()) {
				if (answer.status === "rejected") assert.equal(answer.reason.type, EXPIRED.type);
				assert.equal(statuses[n], answer.status === "fulfilled" ? "sold" : "free");
			}
		});
	});

	describe("releasing a hold", () => {
		it("frees its seats at once, and answers the same again", async () => {
			const { showId, call, byID } = await newHold(["A1", "A2"]);
			for (let n = 0; n < 2; n++) assert.equal(await call("seats.release", byID), null);
			assert.deepEqual(await changesOf(showId), [
				[1, ["A1 held", "A2 held"]],
				[2, ["A1 free", "A2 free"]]
			]);
			assert.deepEqual(await published("hold.expired", showId), []);
			await newHold(["A1", "A2"], showId);
			assert.equal(await call("seats.release", byID), null);
			assert.deepEqual((await statusesOf(showId)).slice(0, 2), ["held", "held"]);
		});

		it("is refused for a sold one, also if both come together", async () => {
			const sold = await newHold(["A1"]);
			await sold.call("seats.confirm", sold.byID);
			await assert.rejects(sold.call("seats.release", sold.byID), { code: 409, type: "CONFLICT" });
			const both = await newHold(["A1"]);
			const [confirmed, released] = await Promise.allSettled([
				both.call("seats.confirm", both.byID),
				both.call("seats.release", both.byID)
			]);
			assert.notEqual(confirmed.status, released.status, "it was both sold and released, or neither");
			assert.equal((await statusesOf(both.showId))[0], confirmed.status === "fulfilled" ? "sold" : "free");
		});

		it("and confirming it exclude each other, even if the other is done after the hold was read", async () => {
			const real = store().findHolds;
			/** Does this once, between reading the hold and changing it. */
			const inBetween = (work: () => Promise<unknown>) => {
				store().findHolds = async ids => {
					store().findHolds = real;
					const found = await real(ids);
					await work();
					return found;
				};
			};
			const [sold, released] = [await newHold(["A1"]), await newHold(["A1"])];
			inBetween(() => store().sell([sold]));
			await assert.rejects(sold.call("seats.release", sold.byID), { code: 409, type: "CONFLICT" });
			inBetween(() => store().release([released]));
			await assert.rejects(released.call("seats.confirm", released.byID), EXPIRED);
			assert.deepEqual([(await statusesOf(sold.showId))[0], (await statusesOf(released.showId))[0]], ["sold", "free"]);
		});

		it("answers also after its end", async () => {
			const { showId, call, byID } = await newHold(["A1"]);
			await passSeconds(HOLD_SECONDS);
			assert.equal(await call("seats.release", byID), null);
			assert.equal((await statusesOf(showId))[0], "free");
		});
	});

	describe("somebody else's hold", () => {
		it("is 404 for everybody but its buyer, as an unknown one", async () => {
			const { showId, byID } = await newHold(["A1"]);
			for (const action of ["seats.confirm", "seats.release"] as const) {
				for (const caller of [newIdentity(), newIdentity("admin")]) await assert.rejects(as(caller)(action, byID), NOT_FOUND);
				await assert.rejects(as(newIdentity())(action, { id: randomUUID() }), NOT_FOUND);
				await assert.rejects(as()(action, byID), { code: 401 });
			}
			assert.equal((await statusesOf(showId))[0], "held");
		});
	});

	describe("the list of holds", () => {
		it("has the caller's open ones, the newest first, page by page", async () => {
			const [id, other, buyer] = [await newShow(), await newShow(), newIdentity()];
			const hold = (showId: string, seat: string) => as(buyer)("seats.hold", { id: showId, seats: [seat] });
			const holds = [await hold(id, "A1"), await hold(id, "A2"), await hold(other, "A1"), await hold(id, "A3")];
			await as(buyer)("seats.confirm", { id: holds[0]!.holdId });
			await newHold(["A4"], id);
			assert.deepEqual(await as(buyer)("seats.holds", {}), [holds[3], holds[2], holds[1]]);
			await as(buyer)("seats.release", { id: holds[2]!.holdId });
			assert.deepEqual(await as(buyer)("seats.holds", { limit: 1, after: holds[2]!.holdId }), [holds[1]]);
			await assert.rejects(as(newIdentity())("seats.holds", { after: holds[1]!.holdId }), { code: 422 });
			await passSeconds(HOLD_SECONDS);
			assert.deepEqual(await as(buyer)("seats.holds", {}), []);
		});
	});

	describe("a hold that expires", () => {
		it("frees its seats and publishes `hold.expired` once, whichever node expires it", async () => {
			const { showId, holdId, buyer } = await newHold(["A1", "A2"]);
			const open = await newHold(["A3"], showId);
			await open.call("seats.confirm", open.byID);
			await passSeconds(HOLD_SECONDS);
			const swept = await Promise.all([store().expire(500), store().expire(500)]);
			assert.deepEqual(
				swept.flat().filter(id => [holdId, open.holdId].includes(id)),
				[holdId]
			);
			assert.deepEqual(await store().expire(500), []);
			assert.deepEqual((await statusesOf(showId)).slice(0, 3), ["free", "free", "sold"]);
			assert.deepEqual((await changesOf(showId)).at(-1), [4, ["A1 free", "A2 free"]]);
			assert.deepEqual(await published("hold.expired", showId), [{ holdId, showId, buyerId: buyer.id, seats: ["A1", "A2"] }]);
		});

		it("is one of many: their seats are published in several messages, none of them too large for its topic", async () => {
			const names = row(1_010);
			const id = await newShow({ seats: names });
			const parts = Array.from({ length: 101 }, (_, n) => names.slice(n * 10, n * 10 + 10));
			await Promise.all(parts.map(part => newHold(part, id)));
			const before = (await published("seats.updated", id)).length;
			await passSeconds(HOLD_SECONDS);
			await store().expire(500);
			const messages = await published("seats.updated", id);
			assert.deepEqual(
				messages.slice(before).map(({ version, seats }) => [version, seats.length]),
				[
					[before + 1, 1_000],
					[before + 2, 10]
				]
			);
			assert.equal((await as()("seats.seats", { id })).version, before + 2);
		});

		it("gives its seats to the next buyer at once, without the sweep", async () => {
			const { showId, holdId, buyer } = await newHold(["A1", "A2"]);
			await passSeconds(HOLD_SECONDS);
			await newHold(["A2"], showId);
			assert.deepEqual((await statusesOf(showId)).slice(0, 2), ["free", "held"]);
			assert.deepEqual(await changesOf(showId), [
				[1, ["A1 held", "A2 held"]],
				[2, ["A1 free", "A2 free"]],
				[3, ["A2 held"]]
			]);
			assert.deepEqual(await published("hold.expired", showId), [{ holdId, showId, buyerId: buyer.id, seats: ["A1", "A2"] }]);
		});

		it("is noticed by the sweep, which continues after a failure", async () => {
			const { showId, holdId } = await newHold(["A1"]);
			await passSeconds(HOLD_SECONDS);
			const logger = new CollectingLogger();
			const log = (line: string) => void logger.lines.push(line);
			let failures = 2;
			const failing = (limit: number) => (failures-- > 0 ? Promise.reject(new Error("Postgres is down")) : store().expire(limit));
			const sweep = startSweep({ expire: failing }, { info: log, warn: log }, { everyMs: 1 });
			await eventually(async () => assert.equal((await statusesOf(showId))[0], "free"), "the sweep to free the seat");
			await sweep.stop();
			assert.ok(logger.lines.some(line => line.includes("Postgres is down") && line.includes("retrying")));
			assert.ok(logger.lines.some(line => line.startsWith("expired holds:") && line.includes(holdId)));
		});

		it("is one of many: the sweep continues until nothing is left, also if another node frees some of them", async () => {
			const left = [500, 499, 500, 0];
			let calls = 0;
			const expire = async () => {
				// One run only.
				if (calls === 0) void sweep.stop();
				return Array.from({ length: left[calls++]! }, () => randomUUID());
			};
			const sweep = startSweep({ expire }, { info: () => {}, warn: () => {} }, { everyMs: 1 });
			await eventually(() => assert.ok(calls > 0), "the sweep to begin");
			await sweep.stop();
			assert.equal(calls, 4);
		});

		it("is noticed by the sweep although Postgres has never answered an earlier one", async () => {
			const { showId } = await newHold(["A1"]);
			await passSeconds(HOLD_SECONDS);
			const warnings: string[] = [];
			const warn = (line: string) => void warnings.push(line);
			let calls = 0;
			const expire = (limit: number) => (calls++ === 0 ? new Promise<string[]>(() => {}) : store().expire(limit));
			const sweep = startSweep({ expire }, { info: () => {}, warn }, { everyMs: 1, timeoutMs: 1_000 });
			await eventually(async () => assert.equal((await statusesOf(showId))[0], "free"), "the sweep to free the seat");
			await sweep.stop();
			assert.ok(warnings[0]?.includes("Postgres is unavailable"), warnings[0]);
		});
	});

	it("logs the id of each request that it has done, in one line for a batch", async () => {
		const [id, buyer] = [await newShow(), newIdentity()];
		const queue = await newShow({ queue: { opensAt: "2036-02-01T10:00:00.000Z", admitPerSecond: 1 } });
		const call = as(buyer);
		const options = (requestID: string) => ({ requestID });
		const named = await call("seats.hold", { id, seats: ["A1"] }, options("hold-1"));
		const best = await call("seats.hold", { id, best: { count: 1 } }, options("hold-2"));
		await call("seats.confirm", { id: named.holdId }, options("confirm-1"));
		await call("seats.release", { id: best.holdId }, options("release-1"));
		await Promise.all(["join-1", "join-2"].map(name => as(newIdentity())("seats.join", { id: queue }, options(name))));
		await assert.rejects(call("seats.hold", { id, seats: ["A1"] }, options("refused-1")));
		for (const line of [
			`held seats: ${named.holdId} { requestIDs: [ 'hold-1' ] }`,
			`held the best seats: ${best.holdId} { requestIDs: [ 'hold-2' ] }`,
			`sold the seats of holds: ${named.holdId} { requestIDs: [ 'confirm-1' ] }`,
			`released holds: ${best.holdId} { requestIDs: [ 'release-1' ] }`,
			`joined queues: ${queue} { requestIDs: [ 'join-1', 'join-2' ] }`
		])
			assert.ok(lines.includes(line), line);
		assert.ok(!lines.some(line => line.includes("refused-1")));
	});
};
