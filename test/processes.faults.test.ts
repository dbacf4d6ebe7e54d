// Everything acknowledged is kept and counts once when processes of the system are killed.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSocketAs } from "./client.socket.ts";
import { fresh } from "./client.ts";
import { faults, RECOVERY_MS } from "./faults.ts";
import { type System, startSystem } from "./system.ts";

describe("an acknowledged message on the cluster counts exactly once", () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "cluster" });
	});
	after(() => system?.stop());
	const { underLoad, restoreAll, pick, screensUpdate } = faults(() => system);

	it("when each process in turn is killed with kill -9 in a burst, and restarted", () =>
		underLoad(async ledger => {
			for (const one of system.processes) {
				await one.kill("SIGKILL");
				await ledger.untilAcknowledged(50, RECOVERY_MS);
				one.start();
				await system.ready(RECOVERY_MS);
				await ledger.untilAcknowledged(50, RECOVERY_MS);
			}
		}));

	it("when all processes are killed at once", () =>
		underLoad(async () => {
			await system.kill9();
			await system.restart();
		}));

	it("when each process in turn is stopped with SIGTERM in a burst, and exits with 0", () =>
		underLoad(async ledger => {
			for (const one of system.processes) {
				assert.deepEqual(await one.kill("SIGTERM"), { code: 0, signal: null }, one.output().slice(-2000));
				one.start();
				await system.ready(RECOVERY_MS);
				await ledger.untilAcknowledged(50, RECOVERY_MS);
			}
		}));

	it("and is pushed to screens on one gateway while the other gateway is down", async () => {
		await restoreAll();
		const user = fresh("user");
		const screens = await Promise.all(system.wsUrls.map(url => openSocketAs(url, user)));
		await system.process("gateway-2").kill("SIGKILL");
		assert.equal((await pick(user)).status, 202);
		await screens[0]?.waitFor(({ code }) => code === "SelectionSummary", "the pick on the screen of the running gateway");
		screens[0]?.close();
		system.process("gateway-2").start();
		await system.ready(RECOVERY_MS);
		await screensUpdate();
	});
});
