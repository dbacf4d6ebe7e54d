// After a crash, everything acknowledged is kept and counts once. CRASH_ROUNDS: how many kill -9 rounds are run.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Ledger, openLedger } from "./ledger.ts";
import { type System, startSystem } from "./system.ts";

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 3);

describe("an acknowledged message, embedded", () => {
	let system: System;
	let ledger: Ledger;
	before(async () => {
		system = await startSystem({ profile: "embedded" });
		ledger = await openLedger(system);
	});
	after(() => system?.stop());

	const checkAfterRestart = async () => {
		await ledger.stopLoad();
		await system.restart();
		await ledger.checkAcknowledged();
		await ledger.retryAll();
		await ledger.verify();
	};

	it("counts exactly once when SIGTERM stops the process in a burst, and the process exits with 0 within 10 s", async () => {
		ledger.startLoad();
		await ledger.untilAcknowledged(100);
		const startedMs = Date.now();
		const [plaza] = system.processes;
		assert.deepEqual(await plaza?.kill("SIGTERM"), { code: 0, signal: null }, plaza?.output().slice(-2000));
		assert.ok(Date.now() - startedMs < 12_000, `took ${Date.now() - startedMs} ms`);
		await checkAfterRestart();
	});

	for (let round = 1; round <= ROUNDS; round++) {
		it(`counts exactly once after kill -9 in a burst of picks and purchases (${round} of ${ROUNDS})`, async () => {
			ledger.startLoad();
			await ledger.untilAcknowledged(100 + Math.floor(Math.random() * 200));
			await system.kill9();
			await checkAfterRestart();
		});
	}
});
