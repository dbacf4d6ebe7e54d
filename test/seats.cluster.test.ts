// Seats on the cluster with two gateways and two nodes of the service: holds that end, and a crowd while nodes are killed and Redis is emptied.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openLive } from "./client.live.ts";
import { holdSeats, newShow, openAccount } from "./client.seats.ts";
import { eventually } from "./client.ts";
import { kafkaRecords, putOnKafka, redis } from "./outside.ts";
import { auditSold, CROWD, CROWD_ENV, sellOut } from "./seat-crowd.ts";
import { seatsExpiryStory } from "./seats-expiry.story.ts";
import { seatsInCluster } from "./stored-seats.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

const LAYOUT = {
	"gateway-1": "api,socket",
	"gateway-2": "api,socket",
	"seats-1": "seats",
	"seats-2": "seats",
	others: "selections,summary,sync,products,inventory,orders,payment,purchase,users,wallet"
};

describe("seats with two nodes each", () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "cluster", layout: LAYOUT, env: { JWT_SECRET, ...CROWD_ENV } });
	});
	after(() => system?.stop());

	seatsExpiryStory(() => system);

	it("publishes exactly the contract's values, with the show as key", async () => {
		const [startMs, buyer] = [Date.now(), await openAccount(system.url)];
		// In another show if a busy machine confirms the hold too late.
		const showId = await eventually(async () => {
			const id = await newShow(system.url, ["A1", "A2", "A3"]);
			const { holdId } = await holdSeats(buyer, id, ["A3"]);
			const { status, text } = await buyer.confirm(holdId);
			assert.equal(status, 200, text);
			return id;
		}, "A3 to be bought");
		await eventually(async () => {
			const records = (await kafkaRecords("seats.updated", startMs)).filter(({ key }) => key === showId);
			const [first, ...more] = records.map(({ payload }) => JSON.parse(payload ?? "{}"));
			assert.deepEqual(first, { showId, version: first?.version, seats: [{ seat: "A3", status: "held" }] });
			assert.deepEqual(more, [{ showId, version: first.version + 1, seats: [{ seat: "A3", status: "sold" }] }]);
		}, "the records of seats.updated");
	});

	it("keeps pushing the changes of a show after a foreign record about it", async () => {
		const buyer = await openAccount(system.url);
		const showId = await newShow(system.url, ["A1", "A2"]);
		const screen = await openLive(system.urls.at(-1)!, buyer.token);
		const { seats } = (await screen.emitWithAck("subscribe:seats", { showId })) as { seats: { version: number } };
		for (const value of ["{", "null", JSON.stringify({ showId, version: "x", seats: [] }), JSON.stringify({ showId, seats: [] })])
			await putOnKafka("seats.updated", value, showId);
		await buyer.hold(showId, ["A1"]);
		await screen.until(
			() => assert.ok(screen.of("seats:updated", ({ version }) => version === seats.version + 1).length > 0),
			"the change after the foreign records"
		);
		screen.close();
	});

	it("sells every seat once to a crowd while nodes are killed and Redis is emptied, and every screen shows it", {
		timeout: 300_000
	}, async t => {
		const sold = await sellOut(system, CROWD, async () => {
			for (const name of ["gateway-2", "seats-1", "seats-2", "gateway-1"]) {
				const process = system.process(name);
				await process.kill("SIGKILL");
				await redis("flushall");
				process.start();
			}
			await system.ready();
		});
		t.diagnostic(await auditSold(sold, () => seatsInCluster(sold.showId, sold.sinceMs)));
	});
});
