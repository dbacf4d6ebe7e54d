// A hold that ends while the page /shows is open, in a browser whose clock is an hour off.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { noBrowser } from "./browser.ts";
import { eventually } from "./client.ts";
import { openBrowserFor, waitUntilLive } from "./page.ts";
import { marketHelpers, toastsOf } from "./page-market.ts";
import { hold, pickSeats, pressHold, seatHelpers, waitForSeats } from "./page-seats.ts";
import { type System, startSystem } from "./system.ts";

const HOLD_SECONDS = 15;

describe("the page of shows, when a hold ends", { skip: noBrowser }, () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "embedded", env: { HOLD_SECONDS: String(HOLD_SECONDS) } });
	});
	after(() => system?.stop());
	const { newPage, closeAll } = openBrowserFor(() => system);
	const { theAdmin, newBuyer, signIn } = marketHelpers(() => system);
	const { newShow } = seatHelpers(() => system, theAdmin);

	it("counts down by the server's clock, reports the end once, and frees the seats", async () => {
		const [{ showId }, buyer] = [await newShow(), await newBuyer()];
		const page = await newPage();
		await page.clock.install({ time: Date.now() + 3_600_000 });
		await page.goto(`${system.url}/shows#/${showId}`);
		await signIn(page, buyer);
		await waitUntilLive(page);
		const toasts = await toastsOf(page);
		await pickSeats(page, "A1", "A2");
		await pressHold(page);
		await hold(page, "A1, A2").waitFor();
		const [, minutes, seconds] = await eventually(async () => {
			const text = await page.textContent("#holds .time");
			return /^(\d+):(\d\d)$/.exec(text ?? "") ?? assert.fail(`${text}`);
		}, "the time that is left");
		// The server's time is known to the second.
		assert.ok(Number(minutes) * 60 + Number(seconds) <= HOLD_SECONDS + 1, `${minutes}:${seconds}`);
		await waitForSeats(page, "free", "A1", "A2");
		await hold(page, "A1, A2").waitFor({ state: "detached" });
		const isReported = async () => assert.deepEqual(await toasts(), ["Your time for A1 and A2 is over"]);
		await eventually(isReported, "the toast");
		await pickSeats(page, "A1");
		await isReported();
		await closeAll();
	});
});
