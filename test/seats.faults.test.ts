// Seats under faults, and the large crowds: killed at crash points, servers that do not answer, and nodes whose clocks are wrong.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openLive } from "./client.live.ts";
import { buySeats, newShow, openAccount, seatMapOf, seatNames, seatsThatAre } from "./client.seats.ts";
import { eventually, httpClient } from "./client.ts";
import { seatCrashPoints } from "./faults/crash-points.ts";
import type { FaultCommand } from "./faults/hook.ts";
import { faults, INFRA_MS, infra, RECOVERY_MS } from "./faults.ts";
import { assertError } from "./http.story.ts";
import { redis } from "./outside.ts";
import { scratchDataDir } from "./scratch.ts";
import { auditSold, CROWD, CROWD_ENV, LARGE_CROWD, LARGE_CROWD_ENV, MANY_SCREENS, sellOut } from "./seat-crowd.ts";
import { seatsInCluster, seatsInDirectory } from "./stored-seats.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

const LAYOUT = {
	"gateway-1": "api,socket",
	"gateway-2": "api,socket",
	"seats-1": "seats",
	"seats-2": "seats",
	others: "selections,summary,sync,products,inventory,orders,payment,purchase,users,wallet"
};
const NODES = ["gateway-2", "seats-1", "seats-2", "gateway-1"];
const TIMEOUT_MS = 600_000;
const STEP_WITHIN_MS = 60_000;

describe("large crowds, embedded", () => {
	let dataDir: string;
	let system: System;
	before(async () => {
		dataDir = await scratchDataDir();
		system = await startSystem({ profile: "embedded", dataDir, env: { JWT_SECRET, ...LARGE_CROWD_ENV } });
	});
	after(async () => {
		await system?.kill9();
		rmSync(dataDir, { recursive: true, force: true });
	});

	for (const [what, crowd] of [
		["2,000 buyers of 200 seats", LARGE_CROWD],
		["1,000 screens", MANY_SCREENS]
	] as const)
		it(`${what}: every seat is sold once, over a kill -9, and every screen shows it`, { timeout: TIMEOUT_MS }, async t => {
			const sold = await sellOut(system, crowd, async () => {
				await system.kill9();
				await system.restart();
			});
			await system.stop();
			try {
				t.diagnostic(await auditSold(sold, () => seatsInDirectory(dataDir, sold.showId)));
			} finally {
				await system.restart();
			}
		});
});

describe("seats on the cluster under faults", () => {
	const commandsDir = mkdtempSync(join(tmpdir(), "seats-"));
	let system: System;
	before(async () => {
		const NODE_OPTIONS = `--import=${new URL("faults/hook.ts", import.meta.url)}`;
		const env = { JWT_SECRET, ...LARGE_CROWD_ENV, NODE_OPTIONS, FAULT_COMMANDS: commandsDir };
		system = await startSystem({ profile: "cluster", layout: LAYOUT, env });
	});
	after(
		async () => {
			await system?.kill9();
			await infra("up");
			rmSync(commandsDir, { recursive: true });
		},
		{ timeout: INFRA_MS }
	);
	const { expectRefusal, expectUnhealthy, restoreAll } = faults(() => system);
	const killAt = (name: string, command: FaultCommand) => {
		writeFileSync(join(commandsDir, `${name}.json`), JSON.stringify(command));
		process.kill(system.process(name).pid, "SIGUSR2");
	};

	for (const { name, processes, when, step } of seatCrashPoints)
		it(`sells every seat once when nodes are killed when ${name}`, { timeout: TIMEOUT_MS }, async t => {
			await restoreAll();
			const sold = await sellOut(system, CROWD, async () => {
				const killed = NODES.filter(one => processes.some(name => one.startsWith(name)));
				for (const one of killed) killAt(one, { act: "kill", when, step, nth: 1 });
				const anyEnded = () => assert.ok(killed.some(one => system.process(one).ended));
				await eventually(anyEnded, `a node to be killed when ${name}`, STEP_WITHIN_MS);
				for (const one of NODES) {
					const process = system.process(one);
					if (!process.ended) await process.kill("SIGKILL");
					process.start();
				}
				await system.ready();
			});
			t.diagnostic(await auditSold(sold, () => seatsInCluster(sold.showId, sold.sinceMs)));
		});

	it("without Redis holds, sells and shows seats", { timeout: TIMEOUT_MS }, async t => {
		await restoreAll();
		const sold = await sellOut(system, CROWD, async () => {
			await infra("kill", "redis");
			await expectUnhealthy(/redis/i);
			const showId = await newShow(system.url, seatNames(1, 4));
			await buySeats(await openAccount(system.url), showId, ["A1", "A2"]);
			assert.deepEqual(seatsThatAre("sold", await seatMapOf(system.urls.at(-1)!, showId)), ["A1", "A2"]);
			await infra("up", "redis");
		});
		t.diagnostic(await auditSold(sold, () => seatsInCluster(sold.showId, sold.sinceMs)));
	});

	it("without Postgres refuses holds, sales and the map within 5 s, and does nothing half", { timeout: TIMEOUT_MS }, async t => {
		await restoreAll();
		const sold = await sellOut(system, CROWD, async () => {
			const showId = await newShow(system.url, seatNames(1, 4));
			const buyer = await openAccount(system.url);
			const { json } = await buyer.hold(showId, ["A1"]);
			await infra("down", "postgres");
			await expectUnhealthy(/postgres/i);
			for (const refused of [
				() => buyer.hold(showId, ["A2"]),
				() => buyer.hold(showId, { best: { count: 2 } }),
				() => buyer.confirm(json.holdId),
				() => buyer.release(json.holdId),
				() => buyer.get("/api/holds"),
				() => httpClient(system.url).get(`/api/shows/${showId}/seats`)
			])
				await expectRefusal(refused);
			await infra("up", "postgres");
			await system.ready(RECOVERY_MS);
			await eventually(
				async () => assert.equal(seatsThatAre("free", await seatMapOf(system.url, showId)).length, 4),
				"the hold to end"
			);
			await buySeats(buyer, showId, ["A1", "A2", "A3", "A4"]);
		});
		t.diagnostic(await auditSold(sold, () => seatsInCluster(sold.showId, sold.sinceMs)));
	});

	for (const [what, crowd] of [
		["2,000 buyers of 200 seats", LARGE_CROWD],
		["1,000 screens", MANY_SCREENS]
	] as const)
		it(`${what}: every seat is sold once while nodes are killed and Redis is emptied, and every screen shows it`, {
			timeout: TIMEOUT_MS
		}, async t => {
			await restoreAll();
			const sold = await sellOut(system, crowd, async () => {
				for (const name of NODES) {
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

/** Holds count by the clock of Postgres: one node is a minute fast, one a minute slow. */
describe("seats on nodes whose clocks are a minute off", () => {
	const HOLD_MS = 4_000;
	const CLOCK_MS = 1_000;
	const SHIFTS = { "gateway-1": 60_000, "gateway-2": -60_000, "seats-1": 60_000, "seats-2": -60_000 };
	let system: System;
	before(async () => {
		const NODE_OPTIONS = `--import=${new URL("faults/shifted-clock.ts", import.meta.url)}`;
		const env = {
			JWT_SECRET,
			...CROWD_ENV,
			HOLD_SECONDS: `${HOLD_MS / 1000}`,
			NODE_OPTIONS,
			CLOCK_SHIFTS: JSON.stringify(SHIFTS)
		};
		system = await startSystem({ profile: "cluster", layout: LAYOUT, env });
	});
	after(() => system?.stop());

	it("end when Postgres says so: not earlier on the fast nodes, and not later on the slow ones", async () => {
		const [fast, slow] = system.urls as [string, string];
		for (const [here, there] of [
			[fast, slow],
			[slow, fast]
		] as const) {
			const id = (await openAccount(here)).id;
			const [buyer, elsewhere] = [await openAccount(here, "user", id), await openAccount(there, "user", id)];
			const showId = await newShow(here, seatNames(1, 4));
			const own = await openLive(there, buyer.token);
			const startMs = Date.now();
			const { json, text } = await buyer.hold(showId, ["A1"]);
			const endMs = Date.parse(json?.expiresAt);
			assert.ok(endMs >= startMs + HOLD_MS - CLOCK_MS && endMs <= Date.now() + HOLD_MS + CLOCK_MS, `${startMs}: ${text}`);
			await own.until(() => assert.equal(own.of("hold:expired").length, 1), "hold:expired");
			assert.ok(Date.now() >= endMs - CLOCK_MS, `the hold ended ${endMs - Date.now()} ms too early`);
			for (const one of [buyer, elsewhere]) assertError(await one.confirm(json.holdId), 409, "HOLD_EXPIRED");
			await buySeats(elsewhere, showId, ["A1"]);
			await buySeats(buyer, showId, ["A2"]);
			assert.deepEqual(seatsThatAre("sold", await seatMapOf(there, showId)), ["A1", "A2"]);
			own.close();
		}
	});

	it("sell every seat of a show once", { timeout: TIMEOUT_MS }, async t => {
		const sold = await sellOut(system, CROWD);
		t.diagnostic(await auditSold(sold, () => seatsInCluster(sold.showId, sold.sinceMs)));
	});
});
