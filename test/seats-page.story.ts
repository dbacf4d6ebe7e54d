// The page /shows in a real browser: buyers, a guest and an admin see each other's seats at once, and nobody loses more than what others took.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { noBrowser } from "./browser.ts";
import { eventually, fresh } from "./client.ts";
import { openBrowserFor, waitUntilLive } from "./page.ts";
import { submitWith } from "./page-accounts.story.ts";
import { marketHelpers, type Person, toastsOf } from "./page-market.ts";
import { cuttable, hold, pickSeats, pressHold, seat, seatHelpers, waitForSeats, waitForText } from "./page-seats.ts";
import type { System } from "./system.ts";

export const seatsPageStory = (plaza: () => System) =>
	describe("the page of shows", { skip: noBrowser }, () => {
		const { newPage, closeAll } = openBrowserFor(plaza);
		const { theAdmin, newBuyer, signIn } = marketHelpers(plaza);
		const { newShow, holdElsewhere, openHolds } = seatHelpers(plaza, theAdmin);

		/** Opens a show, or the list of shows, as a guest. */
		const visit = async (showId = "", url = plaza().url, page?: Page) => {
			const opened = page ?? (await newPage());
			await opened.goto(`${url}/shows#/${showId}`);
			await waitUntilLive(opened);
			if (showId) await opened.waitForSelector("#frame [data-seat]");
			return opened;
		};
		const open = async (person: Person, showId = "", url?: string) => {
			const page = await visit(showId, url);
			await signIn(page, person);
			return page;
		};

		it("lets an admin make a show, and shows a hold, a purchase and a release at once to another buyer and a guest", async () => {
			const [one, other] = [await newBuyer(), await newBuyer()];
			const admin = await open(await theAdmin());
			const name = fresh("King Lear");
			await admin.locator("#plan-name").fill(name);
			await admin.locator("#plan-startsAt").fill("2031-03-01T20:00");
			const rows = admin.locator("#blocks .block");
			await rows.nth(0).locator("[name=to]").fill("B");
			await rows.nth(1).locator("[name=from]").fill("C");
			await rows.nth(1).locator("[name=to]").fill("AA");
			await waitForText(admin, "#preview-text", /^478 seats in 27 rows: stalls, circle$/);
			await rows.nth(1).locator("[name=to]").fill("D");
			await waitForText(admin, "#preview-text", /^64 seats in 4 rows/);
			assert.equal(await admin.locator("#preview [data-seat]").count(), 64);
			await admin.getByRole("button", { name: "Make the show" }).click();
			await waitForSeats(admin, "free", "A1", "D18");
			const showId = decodeURIComponent(new URL(admin.url()).hash.slice(2));

			const list = await open(one, "", plaza().urls.at(-1));
			await list.getByRole("link", { name }).click();
			await list.waitForSelector("#frame [data-seat]");
			const theirs = await open(other, showId);
			const guest = await visit(showId, plaza().urls.at(-1));

			await pickSeats(list, "A1", "A2", "C3");
			assert.equal(await list.textContent("#sum"), "118.00");
			await pressHold(list);
			await waitForSeats(list, "mine", "A1", "A2", "C3");
			for (const page of [theirs, guest, admin]) await waitForSeats(page, "held", "A1", "A2", "C3");
			await waitForText(list, "#holds .time", /^\d+:\d\d$/);
			const before = await list.textContent("#holds .time");
			await eventually(async () => assert.notEqual(await list.textContent("#holds .time"), before), "the time to run down");

			const toasts = await toastsOf(list);
			await hold(list, "A1")
				.getByRole("button", { name: /Confirm/ })
				.click();
			await waitForSeats(list, "bought", "A1", "A2", "C3");
			for (const page of [theirs, guest, admin]) await waitForSeats(page, "sold", "A1", "A2", "C3");
			await eventually(async () => assert.deepEqual(await toasts(), ["Bought: A1, A2 and C3"]), "the toast");

			await pickSeats(theirs, "B5");
			await pressHold(theirs);
			await waitForSeats(list, "held", "B5");
			await hold(theirs, "B5")
				.getByRole("button", { name: /Release/ })
				.click();
			for (const page of [list, theirs, guest]) await waitForSeats(page, "free", "B5");
			assert.equal(await theirs.locator("#holds .hold").count(), 0);
			await closeAll();
		});

		it("marks seats that others take, and keeps the rest of the pick, whether it learns of them by an event or by a refusal", async () => {
			const [{ showId }, one, other] = [await newShow(), await newBuyer(), await newBuyer()];
			const page = await newPage();
			const connection = await cuttable(page);
			await visit(showId, undefined, page);
			await signIn(page, one);
			await pickSeats(page, "A1", "A2", "A3", "A4");
			await holdElsewhere(other, showId, "A2");
			await waitForSeats(page, "held", "A2");
			await page.locator("#pick-problem", { hasText: "A2 is no longer free. Your other seats are still picked." }).waitFor();
			await waitForSeats(page, "picked", "A1", "A3", "A4");

			// Without a connection the page reads the map every few seconds: the refusal shall come first.
			await page.route("**/api/shows/*/seats", route => route.abort());
			await connection.cut();
			const { confirm } = await holdElsewhere(other, showId, "A3", "A4");
			await confirm();
			await pressHold(page);
			await page.locator("#pick-problem", { hasText: "A3 and A4 are no longer free." }).waitFor();
			await page.unroute("**/api/shows/*/seats");
			await waitForSeats(page, "sold", "A3", "A4");
			await waitForSeats(page, "picked", "A1");
			await pressHold(page);
			await hold(page, "A1").waitFor();
			assert.deepEqual(
				(await openHolds(one)).map(({ seats }) => seats),
				[["A1"]]
			);
			connection.mend();
			await waitUntilLive(page);
			await waitForSeats(page, "mine", "A1");
			await closeAll();
		});

		it("shows every change that was missed during a lost connection", async () => {
			const [{ showId }, other] = [await newShow(), await newBuyer()];
			const page = await newPage();
			const connection = await cuttable(page);
			await visit(showId, undefined, page);
			const { release } = await holdElsewhere(other, showId, "A1");
			await waitForSeats(page, "held", "A1");
			await connection.cut();
			await release();
			const { confirm } = await holdElsewhere(other, showId, "B1");
			await confirm();
			connection.mend();
			await waitUntilLive(page);
			await waitForSeats(page, "free", "A1");
			await waitForSeats(page, "sold", "B1");
			await holdElsewhere(other, showId, "C1");
			await waitForSeats(page, "held", "C1");
			await closeAll();
		});

		it("holds the best seats together, keeps open holds over a reload, and refuses a fourth hold in plain words", async () => {
			const [{ showId }, buyer] = [await newShow(), await newBuyer()];
			const page = await open(buyer, showId);
			const best = page.locator("#best-seats");
			await best.locator("[name=category]").selectOption("circle");
			await best.getByRole("button").click();
			await hold(page, "C").waitFor();
			const [{ seats = [] } = {}] = await openHolds(buyer);
			assert.deepEqual([seats.length, seats.every(name => name.startsWith("C"))], [2, true]);
			await waitForSeats(page, "mine", ...seats);
			assert.ok(await page.evaluate("document.activeElement.matches('#holds .confirm')"), "the next step has the focus");

			await page.reload();
			await hold(page, seats.join(", ")).waitFor();
			await waitForSeats(page, "mine", ...seats);

			for (const name of ["A1", "A3"]) await holdElsewhere(buyer, showId, name);
			await pickSeats(page, "B1");
			await pressHold(page);
			await page.locator("#pick-problem", { hasText: "three times already" }).waitFor();
			await waitForSeats(page, "picked", "B1");
			// Those that were held elsewhere are shown too.
			await hold(page, "A3").waitFor();
			await closeAll();
		});

		it("asks a guest who holds seats to sign in, and keeps the pick", async () => {
			const [{ showId }, buyer] = [await newShow(), await newBuyer()];
			const page = await visit(showId);
			await pickSeats(page, "A1", "B2");
			await pressHold(page);
			await submitWith(page, { email: buyer.email, password: buyer.password });
			await page.waitForSelector("dialog", { state: "detached" });
			await waitUntilLive(page);
			await waitForSeats(page, "picked", "A1", "B2");
			await pressHold(page);
			await waitForSeats(page, "mine", "A1", "B2");
			await closeAll();
		});

		it("holds the seats once when the answer is lost", async () => {
			const [{ showId }, buyer] = [await newShow(), await newBuyer()];
			const page = await open(buyer, showId);
			const keys: (string | undefined)[] = [];
			await page.route("**/holds", async route => {
				if (route.request().method() !== "POST") return route.continue();
				keys.push(route.request().headers()["idempotency-key"]);
				if (keys.length > 1) return route.continue();
				await route.fetch();
				await route.abort();
			});
			await pickSeats(page, "A1");
			await pressHold(page);
			await hold(page, "A1").waitFor();
			assert.deepEqual([keys.length, new Set(keys).size], [2, 1]);
			assert.equal((await openHolds(buyer)).length, 1);
			assert.equal(await page.textContent("#pick-problem"), "");
			assert.equal(await seat(page, "A1").getAttribute("data-state"), "mine");
			await closeAll();
		});

		it("lets people in by the queue, one after the other, and refuses to hold before", async () => {
			const opensAt = new Date(Date.now() + 4_000).toISOString();
			const { showId } = await newShow(undefined, { opensAt, admitPerSecond: 1 });
			const pages = [await open(await newBuyer(), showId), await open(await newBuyer(), showId, plaza().urls.at(-1))] as const;
			for (const page of pages) {
				await pickSeats(page, "A1");
				await pressHold(page);
				await page.locator("#pick-problem", { hasText: "not your turn yet" }).waitFor();
				await page.getByRole("button", { name: "Join the queue" }).click();
			}
			for (const page of pages) await page.waitForSelector("#queue[data-state=admitted]");
			await pressHold(pages[0]);
			await waitForSeats(pages[0], "mine", "A1");
			await waitForSeats(pages[1], "held", "A1");
			await pages[0].reload();
			await pages[0].waitForSelector("#queue[data-state=admitted]");
			await closeAll();
		});
	});
