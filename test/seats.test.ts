// Seats on the embedded profile: holds that end, and a crowd while the process is killed. The large crowd is in seats.faults.test.ts.
import { rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { scratchDataDir } from "./scratch.ts";
import { auditSold, CROWD, CROWD_ENV, sellOut } from "./seat-crowd.ts";
import { SHORT_HOLDS, seatsExpiryStory } from "./seats-expiry.story.ts";
import { seatsInDirectory } from "./stored-seats.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

describe("seats whose holds end soon, embedded", () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "embedded", env: { JWT_SECRET, ...SHORT_HOLDS } });
	});
	after(() => system?.stop());
	seatsExpiryStory(() => system);
});

describe("a crowd, embedded", () => {
	let dataDir: string;
	let system: System;
	before(async () => {
		dataDir = await scratchDataDir();
		system = await startSystem({ profile: "embedded", dataDir, env: { JWT_SECRET, ...CROWD_ENV } });
	});
	after(async () => {
		await system?.kill9();
		rmSync(dataDir, { recursive: true, force: true });
	});

	it("buys every seat once, over a kill -9, and every screen shows it", { timeout: 300_000 }, async t => {
		const sold = await sellOut(system, CROWD, async () => {
			await system.kill9();
			await system.restart();
		});
		await system.stop();
		t.diagnostic(await auditSold(sold, () => seatsInDirectory(dataDir, sold.showId)));
	});
});
