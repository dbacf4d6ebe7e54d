// The page in a real browser: on a desktop, on a phone, with a keyboard, and during server outages.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WebSocketRoute } from "playwright-core";
import { noBrowser } from "./browser.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import {
	checkAccessibleNames,
	checkTouchLayout,
	consoleErrors,
	count,
	follow,
	openBrowserFor,
	PHONE,
	row,
	waitForBalance,
	waitForCount,
	waitForRows,
	waitUntilLive
} from "./page.ts";
import { countOf } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

export const pageStory = (plaza: () => System) =>
	describe("the page", { skip: noBrowser }, () => {
		const { address, newPage, open, closeAll } = openBrowserFor(plaza);
		const pick = (name: string, user_id = "test-user", id = fresh("pick")) =>
			expectStatus(202, httpClient(plaza().url).post("/api/selections/async", { name, id, user_id }));

		it("counts 200 picks with 20 repeated ids as 180, in two tabs, without a reload", async () => {
			const name = ownName();
			const tabs = [await open(), await open(undefined, plaza().urls.at(-1))];
			const earlier = await countOf(plaza(), name);
			const followed = await Promise.all(tabs.map(tab => follow(tab, `[data-selection="${name}"] .count`)));
			for (const tab of tabs) await waitForCount(tab, name, earlier);

			const ids = Array.from({ length: 180 }, () => fresh("pick"));
			const sent = [...ids.slice(0, 100), ...ids.slice(0, 20), ...ids.slice(100)];
			for (let n = 0; n < sent.length; n += 20) {
				const answers = await Promise.all(sent.slice(n, n + 20).map(id => pick(name, "test-user", id)));
				assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
			}

			for (const tab of tabs) await waitForCount(tab, name, earlier + 180);
			assert.equal(await countOf(plaza(), name), earlier + 180);
			for (const texts of followed) {
				const seen = (await texts()).map(({ text }) => Number(text));
				assert.deepEqual(
					seen,
					seen.toSorted((one, other) => one - other)
				);
				assert.equal(seen.at(-1), earlier + 180);
			}
			await closeAll();
		});

		it("updates both tabs when the button is clicked, and when it is pressed with the keyboard alone", async () => {
			const name = ownName();
			const tabs = [await open(), await open(undefined, plaza().urls.at(-1))] as const;
			const [tab] = tabs;
			const earlier = await countOf(plaza(), name);
			await row(tab, name).getByRole("button").click();
			for (const one of tabs) await waitForCount(one, name, earlier + 1);

			await tab.reload();
			await waitUntilLive(tab);
			await waitForRows(tab);
			const focused = () => tab.evaluate("document.activeElement.closest('tr')?.dataset.selection");
			for (let n = 0; n < plaza().selectionNames.length && (await focused()) !== name; n++) await tab.keyboard.press("Tab");
			assert.equal(await focused(), name);
			await tab.keyboard.press("Enter");
			await tab.keyboard.press("Space");
			for (const one of tabs) await waitForCount(one, name, earlier + 3);
			await closeAll();
		});

		it("updates the count when another user picks", async () => {
			const name = ownName();
			const page = await open(fresh("user"));
			const earlier = await countOf(plaza(), name);
			await pick(name, fresh("another-user"));
			await waitForCount(page, name, earlier + 1);
			await closeAll();
		});

		it("lists the server's names in the server's order", async () => {
			const page = await open();
			const names = await page.evaluate("Array.from(document.querySelectorAll('tbody tr'), row => row.dataset.selection)");
			assert.deepEqual(names, plaza().selectionNames);
			await closeAll();
		});

		it("buys, and shows the new balance in every tab of the user", async () => {
			const user = fresh("buyer");
			const tabs = [await open(user), await open(user, plaza().urls.at(-1))] as const;
			for (const tab of tabs) await waitForBalance(tab, "0.00");
			await tabs[0].getByLabel("amount").fill("49.99");
			await tabs[0].keyboard.press("Enter");
			for (const tab of tabs) await waitForBalance(tab, "49.99");
			await tabs[1].getByLabel("amount").fill("0,01");
			await tabs[1].getByRole("button", { name: "Buy" }).click();
			for (const tab of tabs) await waitForBalance(tab, "50.00");
			const { json } = await httpClient(plaza().url).get(`/api/wallet/${user}`);
			assert.deepEqual(json, { balances: { total: 50 } });
			await closeAll();
		});

		it("shows an error at the field for an invalid amount, and sends nothing", async () => {
			const user = fresh("buyer");
			const page = await newPage();
			const sent: string[] = [];
			page.on("websocket", socket => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
			await page.goto(address(user));
			await waitUntilLive(page);
			const amount = page.getByLabel("amount");
			for (const text of ["", " ", "abc", "0", "-1", "1.005", "1,000", "1000000.01", "1e3", "٣"]) {
				await amount.fill(text);
				await page.getByRole("button", { name: "Buy" }).click();
				await page.waitForSelector("#amount-error:not(:empty)");
				assert.equal(await amount.getAttribute("aria-invalid"), "true", text);
				assert.match((await amount.getAttribute("aria-describedby")) ?? "", /\bamount-error\b/);
				assert.equal(await page.evaluate("document.activeElement.id"), "amount");
				await amount.fill("1");
				assert.equal(await page.locator("#amount-error").isVisible(), false, text);
				assert.equal(await amount.getAttribute("aria-invalid"), "false");
			}
			assert.deepEqual(
				sent.filter(frame => frame.includes("amount")),
				[]
			);
			await closeAll();
		});

		it("reconnects after a server restart, and sends picks and purchases made meanwhile exactly once", async () => {
			const [name, user] = [ownName(), fresh("user")];
			const [stays, leaves] = [await open(user), await open(user)];
			// Other test files use the same servers, so the name may have picks already.
			const earlier = (await countOf(plaza(), name)) + 1;
			await row(stays, name).getByRole("button").click();
			await waitForCount(stays, name, earlier);
			assert.equal(await countOf(plaza(), name), earlier);

			await plaza().kill9();
			for (const page of [stays, leaves]) {
				await page.waitForSelector("#connection[data-state=waiting]");
				for (let n = 0; n < 3; n++) await row(page, name).getByRole("button").click();
			}
			await stays.getByLabel("amount").fill("12.30");
			await stays.keyboard.press("Enter");
			await stays.waitForSelector("#purchases [data-state=waiting]");
			await eventually(
				async () => assert.match((await stays.textContent("#waiting")) ?? "", /3/),
				"the page to show 3 waiting picks"
			);
			// This page is closed before it can send: the next page of the same browser sends its picks.
			const { 0: again } = [await leaves.context().newPage()];
			await leaves.close();

			await plaza().restart();
			await waitUntilLive(stays);
			await again.goto(address(user));
			await waitUntilLive(again);
			for (const page of [stays, again]) await waitForCount(page, name, earlier + 6);
			for (const page of [stays, again]) await waitForBalance(page, "12.30");
			await stays.waitForSelector("#purchases [data-state=bought]");
			assert.equal(await stays.textContent("#waiting"), "");
			assert.equal(await countOf(plaza(), name), earlier + 6);
			for (const page of [stays, again]) assert.equal(await page.evaluate("localStorage.length"), 0);
			await closeAll();
		});

		it("resends a pick with the same id when its response was lost, and it counts once", async () => {
			const name = ownName();
			const page = await open();
			const earlier = await countOf(plaza(), name);
			const ids: string[] = [];
			await page.route("**/api/selections/async", async route => {
				ids.push(route.request().postDataJSON().id);
				if (ids.length > 1) return route.continue();
				await route.fetch();
				await route.abort();
			});
			await row(page, name).getByRole("button").click();
			await eventually(() => assert.equal(ids.length, 2), "the pick to be resent");
			assert.equal(ids[0], ids[1]);
			// Another pick is counted later, so a repeated count would be visible by then.
			await eventually(async () => assert.equal(await page.evaluate("localStorage.length"), 0), "both to be acknowledged");
			await pick(name);
			await waitForCount(page, name, earlier + 2);
			await closeAll();
		});

		it("waits for the time in Retry-After, and does not retry a refused pick", async () => {
			const name = ownName();
			const page = await open();
			const earlier = await countOf(plaza(), name);
			const answers = [{ status: 429, headers: { "Retry-After": "2" }, json: { message: "slow down" } }];
			const sentMs: number[] = [];
			await page.route("**/api/selections/async", route => {
				sentMs.push(Date.now());
				const answer = answers.shift();
				return answer ? route.fulfill(answer) : route.continue();
			});
			await row(page, name).getByRole("button").click();
			await waitForCount(page, name, earlier + 1);
			assert.equal(sentMs.length, 2);
			assert.ok(
				(sentMs[1] as number) - (sentMs[0] as number) >= 2000,
				`retried after ${(sentMs[1] as number) - (sentMs[0] as number)} ms`
			);

			answers.push({ status: 422, headers: { "Retry-After": "0" }, json: { message: "name: is not up for selection" } });
			await row(page, name).getByRole("button").click();
			await page.getByText("name: is not up for selection").first().waitFor();
			assert.equal(await page.evaluate("localStorage.length"), 0);
			await row(page, name).getByRole("button").click();
			await waitForCount(page, name, earlier + 2);
			assert.equal(sentMs.length, 4);
			await closeAll();
		});

		it("never shows a lower count, and detects a silent connection", async () => {
			const name = ownName();
			const user = fresh("user");
			const page = await newPage();
			const sockets: WebSocketRoute[] = [];
			let silent = false;
			await page.routeWebSocket("**/ws", socket => {
				sockets.push(socket);
				const server = socket.connectToServer();
				server.onMessage(message => void ((silent && socket === sockets[0]) || socket.send(message)));
			});
			await page.goto(address(user));
			await waitUntilLive(page);
			const earlier = await countOf(plaza(), name);
			await pick(name, user);
			await waitForCount(page, name, earlier + 1);
			const late = { name, count: earlier, user_id: user };
			sockets[0]?.send(JSON.stringify({ code: "SelectionSummary", data: late }));
			sockets[0]?.send(JSON.stringify({ code: "balance", data: { user_id: user, balances: { total: 7 } } }));
			await waitForBalance(page, "7.00");
			assert.equal(await count(page, name), earlier + 1);

			const states = await follow(page, "#connection");
			silent = true;
			await page.evaluate("dispatchEvent(new Event('online')), 0");
			await eventually(async () => {
				assert.deepEqual(
					(await states()).map(({ text }) => text),
					["live", "reconnecting", "live"]
				);
			}, "the page to replace the silent connection");
			assert.equal(sockets.length, 2);
			await waitForBalance(page, "0.00");
			await closeAll();
		});

		it("complies with the strict content security policy, without console errors or missing files", async () => {
			const name = ownName();
			const page = await newPage();
			const all = consoleErrors(page);
			page.on("response", response => response.status() >= 400 && all.push(`${response.status()} ${response.url()}`));
			await page.goto(address());
			await waitUntilLive(page);
			const earlier = await countOf(plaza(), name);
			await row(page, name).getByRole("button").click();
			await waitForCount(page, name, earlier + 1);
			assert.deepEqual(all, []);
			const inline =
				"const button = document.createElement('button'); button.setAttribute('onclick', 'globalThis.ran = true'); button.click()";
			const ran = await page.evaluate(`try { ${inline} } catch {} globalThis.ran === true`);
			assert.equal(ran, false, "an inline script ran");
			await closeAll();
		});

		it("gives every control a name and a sufficient size, the table a caption, and announcements a live region", async () => {
			const page = await newPage(PHONE);
			await page.goto(address());
			await waitUntilLive(page);
			const named = await checkAccessibleNames(page);
			assert.ok(named.length > 3);
			const table = named.find(({ role }) => role?.value === "table");
			assert.equal(table?.name?.value, "selection results via socket");
			assert.equal(await page.textContent("caption"), "selection results via socket");
			assert.ok((await page.locator("[aria-live=polite]").count()) > 0);
			assert.equal(await page.getAttribute("html", "lang"), "en");
			await checkTouchLayout(page);
			await closeAll();
		});

		it("announces the user's own picks to screen readers, at most once a second", async () => {
			const name = ownName();
			const page = await open(fresh("user"));
			const earlier = await countOf(plaza(), name);
			const announced = await follow(page, "#announcements");
			for (let n = 0; n < 20; n++) await row(page, name).getByRole("button").click();
			await eventually(
				async () => assert.match((await page.textContent("#announcements")) ?? "", new RegExp(`${name} ${earlier + 20}`)),
				"the last count to be announced"
			);
			const [, ...times] = (await announced()).map(({ atMs }) => atMs);
			for (const [n, atMs] of times.slice(1).entries())
				assert.ok(atMs - (times[n] as number) >= 990, `announced twice within ${atMs - (times[n] as number)} ms`);
			await closeAll();
		});
	});
