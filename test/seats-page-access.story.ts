// The page /shows for everyone: with the keyboard alone, by names for screen readers, on a phone, and with as many seats as a show may have.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noBrowser } from "./browser.ts";
import { eventually } from "./client.ts";
import { checkAccessibleNames, checkTouchLayout, consoleErrors, openBrowserFor, PHONE, waitUntilLive } from "./page.ts";
import { marketHelpers } from "./page-market.ts";
import { hold, rowsOf, seat, seatHelpers, waitForSeats, waitForText } from "./page-seats.ts";
import type { System } from "./system.ts";

export const seatsPageAccessStory = (plaza: () => System) =>
	describe("the page of shows, for everyone", { skip: noBrowser }, () => {
		const { newPage, closeAll } = openBrowserFor(plaza);
		const { theAdmin, newBuyer, signIn } = marketHelpers(plaza);
		const { newShow, holdElsewhere } = seatHelpers(plaza, theAdmin);

		it("allows picking, holding and confirming with the keyboard alone, and names each seat and its state", async () => {
			const [{ showId }, buyer, other] = [await newShow(), await newBuyer(), await newBuyer()];
			await holdElsewhere(other, showId, "B4");
			const page = await newPage();
			await page.goto(`${plaza().url}/shows#/${showId}`);
			await signIn(page, buyer);
			await waitForSeats(page, "held", "B4");
			const focused = (selector: string) => page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`);
			const tabTo = async (selector: string) => {
				for (let n = 0; n < 100 && !(await focused(selector)); n++) await page.keyboard.press("Tab");
				assert.ok(await focused(selector), `${selector} is not reachable with Tab`);
			};
			await page.locator("#account").focus();
			await tabTo("[data-seat]");
			const label = () => page.evaluate<string>("document.activeElement.getAttribute('aria-label')");
			assert.equal(await label(), "A5, row A, stalls, 45.00, free");
			for (const [key, name] of [
				["ArrowDown", "B5"],
				["ArrowLeft", "B4"],
				["Home", "B1"],
				["ArrowLeft", "B1"],
				["End", "B8"],
				["PageDown", "D8"],
				["Control+Home", "A1"]
			] as const) {
				await page.keyboard.press(key);
				assert.ok(await focused(`[data-seat="${name}"][tabindex="0"]`), `${key} to ${name}`);
			}
			assert.equal(await page.locator('#frame [tabindex="0"]').count(), 1);
			await page.keyboard.press("Enter");
			await page.keyboard.press("ArrowRight");
			await page.keyboard.press("Space");
			await waitForSeats(page, "picked", "A1", "A2");
			assert.equal(await label(), "A2, row A, stalls, 45.00, picked");
			await waitForText(page, "#announcements", /A2 picked, 2 seats picked/);
			assert.equal(await seat(page, "B4").getAttribute("aria-label"), "B4, row B, stalls, 45.00, held by others");
			await tabTo("#hold [type=submit]");
			await page.keyboard.press("Enter");
			await hold(page, "A1, A2").waitFor();
			await eventually(async () => assert.ok(await focused("#holds .confirm")), "the focus to move to the hold");
			await page.keyboard.press("Enter");
			await waitForSeats(page, "bought", "A1", "A2");
			assert.ok(await focused("#holds .hold"), "the button is gone; its hold keeps the focus");

			await page.locator("#free-seats summary").click();
			await waitForText(page, "#free-rows li:first-child", /row A.*stalls, 45\.00.*3 to 8/s);
			await closeAll();
		});

		it("complies with the content security policy, fits a phone, has large enough controls, and names every control", async () => {
			const { showId } = await newShow(rowsOf(12, 20));
			const page = await newPage(PHONE);
			const all = consoleErrors(page);
			page.on("response", response => response.status() >= 400 && all.push(`${response.status()} ${response.url()}`));
			await page.goto(`${plaza().url}/shows`);
			await signIn(page, await theAdmin());
			await page.locator("#shows .show").first().waitFor();
			await checkTouchLayout(page);
			await checkAccessibleNames(page);

			await page.goto(`${plaza().url}/shows#/${showId}`);
			await waitUntilLive(page);
			await waitForSeats(page, "free", "A1");
			await checkTouchLayout(page);
			assert.ok((await checkAccessibleNames(page)).length > 10);
			const sizeOf = async (name: string) => (await seat(page, name).boundingBox())?.width ?? 0;
			// The first tap comes closer, the second one picks.
			assert.ok((await sizeOf("A10")) < 24);
			await seat(page, "A10").tap();
			await eventually(async () => assert.ok((await sizeOf("A10")) > 30), "the map to be enlarged");
			assert.equal(await page.locator("#frame [data-state=picked]").count(), 0);
			await seat(page, "A10").tap();
			await waitForSeats(page, "picked", "A10");
			await checkTouchLayout(page);
			await page.locator("#free-seats summary").click();
			await waitForText(page, "#free-rows li:first-child", /row A/);
			assert.deepEqual(all, []);
			await closeAll();
		});

		it("draws 20,000 seats once, and then changes only the seats that change", async () => {
			const { showId } = await newShow(rowsOf(200, 100));
			const page = await newPage();
			await page.goto(`${plaza().url}/shows#/${showId}`);
			await waitUntilLive(page);
			await waitForSeats(page, "free", "A1", "R199100");
			const changes = await page.evaluateHandle<string[]>(`(() => {
				const names = [];
				new MutationObserver(records => names.push(...records.map(({ target }) => target.dataset.seat)))
					.observe(document.querySelector("#frame"), { subtree: true, childList: true, attributeFilter: ["d"] });
				return names;
			})()`);
			await holdElsewhere(await newBuyer(), showId, "A1", "R26100");
			await waitForSeats(page, "held", "A1", "R26100");
			assert.deepEqual((await changes.jsonValue()).sort(), ["A1", "R26100"]);
			await waitForText(page, "#categories", /stalls 45\.00 199 free/);
			await closeAll();
		});
	});
