// The market pages in a real browser: each buyer and admin sees the changes of the others, exactly once and without a reload.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page, WebSocketRoute } from "playwright-core";
import { noBrowser } from "./browser.ts";
import { eventually, fresh } from "./client.ts";
import { checkAccessibleNames, checkTouchLayout, consoleErrors, openBrowserFor, PHONE, waitUntilLive } from "./page.ts";
import { submitWith } from "./page-accounts.story.ts";
import {
	choose,
	marketHelpers,
	order,
	orderOn,
	type Person,
	product,
	toastsOf,
	waitForStatus,
	waitForStockText
} from "./page-market.ts";
import type { System } from "./system.ts";

export const commercePageStory = (plaza: () => System) =>
	describe("the pages of the market", { skip: noBrowser }, () => {
		const { newPage, closeAll } = openBrowserFor(plaza);
		const { theAdmin, newBuyer, newProduct, signIn, moveTo, order: orderElsewhere } = marketHelpers(plaza);

		const at = async (path: string, url = plaza().url, options?: Parameters<typeof newPage>[0]) => {
			const page = await newPage(options);
			await page.goto(url + path);
			return page;
		};
		/** Opens a page and signs in. */
		const open = async (path: string, person: Person, url?: string) => {
			const page = await at(path, url);
			await signIn(page, person);
			return page;
		};
		/** Another page of the same browser. */
		const openTab = async (page: Page, path: string) => {
			const other = await page.context().newPage();
			await other.goto(new URL(path, page.url()).href);
			await waitUntilLive(other);
			return other;
		};
		const cancel = (page: Page, orderId: string) => order(page, orderId).getByRole("button", { name: /Cancel Order/ });
		const waitForToasts = (toasts: () => Promise<string[]>, expected: string[], of = /./) =>
			eventually(
				async () =>
					assert.deepEqual(
						(await toasts()).filter(text => of.test(text)),
						expected
					),
				`the toasts to be ${expected.join(", ")}`
			);
		/** All pending events have arrived: the page shows a change that was made after them. */
		const waitForPendingEvents = async (page: Page, productId: string, buyer: Person, stock: number) => {
			await orderElsewhere(buyer, productId, 1);
			await waitForStockText(page, productId, `${stock - 1} left`);
		};

		it("show orders, shipments and cancellations to the buyer and to the admin, each once and without a reload", async () => {
			const [{ productId }, buyer] = [await newProduct(50), await newBuyer()];
			const shop = await open("/products", buyer);
			const mine = await openTab(shop, "/orders");
			const all = await open("/admin/orders", await theAdmin(), plaza().urls.at(-1));
			const dashboard = await openTab(all, "/admin");
			const [shopToasts, myToasts] = [await toastsOf(shop), await toastsOf(mine)];
			const [allToasts, dashboardToasts] = [await toastsOf(all), await toastsOf(dashboard)];

			const first = await orderOn(shop, productId, 3);
			for (const page of [mine, all]) await waitForStatus(page, first, "pending");
			for (const page of [shop, dashboard]) await waitForStockText(page, productId, "47 left");
			assert.match((await order(all, first).textContent()) ?? "", /37\.50.*3 × Olive oil/s);

			await order(all, first)
				.getByRole("button", { name: /Mark as processing/ })
				.click();
			await order(all, first)
				.getByRole("button", { name: /Mark as shipped/ })
				.click();
			await waitForStatus(mine, first, "shipped");
			assert.equal(await cancel(mine, first).isVisible(), false);

			const second = await orderOn(shop, productId, 2);
			await waitForStockText(shop, productId, "45 left");
			await cancel(mine, second).click();
			for (const page of [mine, all]) await waitForStatus(page, second, "cancelled");
			for (const page of [shop, dashboard]) await waitForStockText(page, productId, "47 left");

			const third = await orderOn(shop, productId, 1);
			await cancel(all, third).click();
			await waitForStatus(mine, third, "cancelled");
			await waitForPendingEvents(shop, productId, await newBuyer(), 47);

			const toastTexts = ["Order placed", "Order status: processing", "Order status: shipped", "Order placed", "Order cancelled"];
			for (const texts of [shopToasts, myToasts]) await waitForToasts(texts, [...toastTexts, "Order placed", "Order cancelled"]);
			const byCustomer = `Order #${second} cancelled by customer`;
			await waitForToasts(allToasts, [byCustomer, `Order #${third} cancelled`], /cancelled/);
			await waitForToasts(dashboardToasts, [byCustomer], new RegExp(second));
			await closeAll();
		});

		it("update the stock on the pages of two buyers and a guest, and show a buyer who orders too much what is available", async () => {
			const [{ productId }, one, other] = [await newProduct(12), await newBuyer(), await newBuyer()];
			const pages = [
				await open("/products", one),
				await open("/products", other, plaza().urls.at(-1)),
				await at("/products", plaza().urls.at(-1))
			] as const;
			for (const page of pages) await waitForStockText(page, productId, "12 left");
			await orderOn(pages[0], productId, 3);
			for (const page of pages) await waitForStockText(page, productId, "9 left");
			await orderOn(pages[1], productId, 10);
			await pages[1].locator("#order-problem", { hasText: "only 9 can be ordered" }).waitFor();
			await orderOn(pages[1], productId, 9);
			for (const page of pages) await waitForStockText(page, productId, "sold out");
			await closeAll();
		});

		it("ask a guest who orders to sign in, and keep the chosen quantities", async () => {
			const { productId } = await newProduct(20);
			const page = await at("/products");
			await waitUntilLive(page);
			await choose(page, productId, 2);
			await page.getByRole("button", { name: "Order", exact: true }).click();
			const buyer = await newBuyer();
			await submitWith(page, { email: buyer.email, password: buyer.password });
			await page.waitForSelector("dialog", { state: "detached" });
			assert.equal(await product(page, productId).locator(".quantity").inputValue(), "2");
			assert.equal(await page.locator("#sum").textContent(), "25.00");
			const toasts = await toastsOf(page);
			await page.getByRole("button", { name: "Order", exact: true }).click();
			await waitForStockText(page, productId, "18 left");
			await waitForToasts(toasts, ["Order placed"]);
			assert.equal(await product(page, productId).locator(".quantity").inputValue(), "0");
			await closeAll();
		});

		it("place one order when the response is lost, and show field errors for missing input", async () => {
			const [{ productId }, buyer] = [await newProduct(20), await newBuyer()];
			const page = await open("/products", buyer);
			const toasts = await toastsOf(page);
			const keys: (string | undefined)[] = [];
			await page.route("**/api/orders", async route => {
				if (route.request().method() !== "POST") return route.continue();
				keys.push(route.request().headers()["idempotency-key"]);
				if (keys.length > 1) return route.continue();
				await route.fetch();
				await route.abort();
			});
			await page.getByRole("button", { name: "Order", exact: true }).click();
			await page.locator("#order-problem:not(:empty)").waitFor();
			await product(page, productId).locator(".quantity").fill("1");
			await page.getByRole("button", { name: "Order", exact: true }).click();
			await page.locator("#ship-name-error:not(:empty)").waitFor();
			assert.equal(await page.evaluate("document.activeElement.id"), "ship-name");
			assert.deepEqual(keys, []);

			await choose(page, productId, 4);
			await page.getByRole("button", { name: "Order", exact: true }).click();
			await eventually(() => assert.equal(keys.length, 2), "the page to resend the order");
			assert.equal(keys[0], keys[1]);
			await waitForStockText(page, productId, "16 left");
			await waitForToasts(toasts, ["Order placed"]);
			await closeAll();
		});

		it("allow ordering and cancelling with the keyboard alone", async () => {
			const [{ productId }, buyer] = [await newProduct(20), await newBuyer()];
			const page = await open("/products", buyer);
			const focused = (selector: string) => page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`);
			const tabTo = async (selector: string) => {
				for (let n = 0; n < 600 && !(await focused(selector)); n++) await page.keyboard.press("Tab");
				assert.ok(await focused(selector), `${selector} is not reachable with Tab`);
			};
			await tabTo(`[data-product="${productId}"] .quantity`);
			await page.keyboard.press("ArrowUp");
			await page.keyboard.press("ArrowUp");
			for (const field of ["name", "street", "city", "country"]) {
				await tabTo(`#ship-${field}`);
				await page.keyboard.type("somewhere");
			}
			await page.keyboard.press("Enter");
			await waitForStockText(page, productId, "18 left");

			await page.goto(`${plaza().url}/orders`);
			await page.locator(".order").waitFor();
			await tabTo(".order .cancel, .order .actions button");
			await page.keyboard.press("Space");
			await page.waitForSelector(".order[data-status=cancelled]");
			// The button was removed; the order keeps the focus.
			await eventually(async () => assert.ok(await focused(".order")), "the focus to stay with the order");
			await closeAll();
		});

		it("show every step that was missed during a lost connection, once, and continue from there", async () => {
			const [{ productId }, buyer] = [await newProduct(50), await newBuyer()];
			const [moved, cancelled] = [await orderElsewhere(buyer, productId, 1), await orderElsewhere(buyer, productId, 1)];
			const page = await newPage();
			const sockets: WebSocketRoute[] = [];
			let isOffline = false;
			await page.routeWebSocket("**/socket.io/**", socket => {
				sockets.push(socket);
				if (isOffline) void socket.close();
				else socket.connectToServer();
			});
			await page.goto(`${plaza().url}/orders`);
			await signIn(page, buyer);
			for (const id of [moved, cancelled]) await waitForStatus(page, id, "pending");
			const toasts = await toastsOf(page);

			isOffline = true;
			for (const socket of sockets) await socket.close();
			await page.waitForSelector("#connection[data-state=waiting]");
			await moveTo(moved, "processing", "shipped");
			await moveTo(cancelled, "cancelled");
			const placed = await orderElsewhere(buyer, productId, 1);
			isOffline = false;

			await waitUntilLive(page);
			await waitForStatus(page, moved, "shipped");
			await waitForStatus(page, cancelled, "cancelled");
			await waitForStatus(page, placed, "pending");
			await moveTo(moved, "delivered");
			await waitForStatus(page, moved, "delivered");
			const expected = [
				"Order status: processing",
				"Order status: shipped",
				"Order status: delivered",
				"Order cancelled",
				"Order placed"
			].sort();
			await waitForToasts(async () => (await toasts()).sort(), expected);
			await closeAll();
		});

		it("reconnect by themselves after a server restart, for the buyer and for the admin", async () => {
			const [{ productId }, buyer] = [await newProduct(50), await newBuyer()];
			const shop = await open("/products", buyer);
			const all = await open("/admin/orders", await theAdmin());
			const [shopToasts, allToasts] = [await toastsOf(shop), await toastsOf(all)];
			const orderId = await orderOn(shop, productId, 5);
			await waitForStatus(all, orderId, "pending");
			await waitForStockText(shop, productId, "45 left");

			await plaza().kill9();
			for (const page of [shop, all]) await page.waitForSelector("#connection[data-state=waiting]");
			await plaza().restart();
			await moveTo(orderId, "cancelled");
			for (const page of [shop, all]) await waitUntilLive(page);
			await waitForStatus(all, orderId, "cancelled");
			await waitForStockText(shop, productId, "50 left");
			await waitForToasts(shopToasts, ["Order placed", "Order cancelled"]);
			await waitForToasts(allToasts, [`Order #${orderId} cancelled by customer`], new RegExp(orderId));
			await closeAll();
		});

		it("update the dashboard's statistics, status light and warnings as orders arrive", async () => {
			const page = await open("/admin", await theAdmin());
			const toasts = await toastsOf(page);
			const count = async (which: string) => Number(await page.textContent(`[data-status="${which}"]`));
			await page.waitForSelector("#light[data-state=good]");
			await eventually(async () => assert.ok((await count("pending")) >= 0), "the statistics to be loaded");

			const sku = fresh("sku");
			const typed = { name: "Sea salt", description: "Coarse", price: "2,50", sku, stock: "12" };
			for (const [field, text] of Object.entries(typed)) await page.locator(`#new-${field}`).fill(text);
			const answered = page.waitForResponse("**/api/products");
			await page.getByRole("button", { name: "Add product" }).click();
			const { productId } = await (await answered).json();
			await waitForStockText(page, productId, "12 left");
			await waitForToasts(toasts, ["New product added"], /added/);
			for (const [field, text] of Object.entries(typed)) await page.locator(`#new-${field}`).fill(text);
			await page.getByRole("button", { name: "Add product" }).click();
			await page.locator("#new-sku-error", { hasText: "taken" }).waitFor();

			const [pending, revenue] = [await count("pending"), Number(await page.textContent("#revenue"))];
			await orderElsewhere(await newBuyer(), productId, 3);
			await waitForStockText(page, productId, "9 left");
			await page.locator(`#low [data-product="${productId}"]`, { hasText: "9 left" }).waitFor();
			await eventually(async () => {
				assert.equal(await count("pending"), pending + 1);
				assert.equal(Number(await page.textContent("#revenue")), revenue + 7.5);
			}, "the statistics to be updated");
			await waitForToasts(toasts, [`Low stock alert: ${sku}, 9 left`], new RegExp(sku));
			assert.match((await page.getAttribute("#chart", "aria-label")) ?? "", /[1-9]\d* in all/);

			const editor = product(page, productId).locator(".editor");
			await editor.getByLabel("stock").fill("40");
			await editor.getByLabel("price").fill("3");
			await editor.getByRole("button").click();
			await waitForStockText(page, productId, "40 left");
			await page.locator(`#products [data-product="${productId}"] .price`, { hasText: "3.00" }).waitFor();
			await page.locator(`#low [data-product="${productId}"]`).waitFor({ state: "detached" });
			await page.waitForSelector("#light[data-state=good]");
			await closeAll();
		});

		it("hide the admin's pages, and the links to them, from all others", async () => {
			const page = await open("/products", await newBuyer());
			assert.equal(await page.locator("nav a:visible").count(), 4);
			for (const path of ["/admin", "/admin/orders"]) {
				await page.goto(plaza().url + path);
				await page.locator("#refused").waitFor();
				assert.equal(await page.locator("#admins").isVisible(), false);
			}
			const admin = await open("/orders", await theAdmin());
			assert.equal(await admin.locator("nav a:visible").count(), 6);
			await closeAll();
		});

		it("show an admin who also buys only their own orders on /orders", async () => {
			const [{ productId }, admin] = [await newProduct(20), await theAdmin()];
			const theirs = await orderElsewhere(await newBuyer(), productId, 1);
			const own = await orderElsewhere(admin, productId, 1);
			const page = await open("/orders", admin);
			await waitForStatus(page, own, "pending");
			assert.equal(await order(page, theirs).count(), 0);
			await closeAll();
		});

		it("comply with the strict content security policy, fit a phone, have large enough controls, and name every control", async () => {
			const [{ productId }, admin] = [await newProduct(5), await theAdmin()];
			await orderElsewhere(admin, productId, 1);
			const page = await newPage(PHONE);
			const all = consoleErrors(page);
			page.on("response", response => response.status() >= 400 && all.push(`${response.status()} ${response.url()}`));
			await page.goto(`${plaza().url}/products`);
			await signIn(page, admin);
			for (const path of ["/products", "/orders", "/admin", "/admin/orders"]) {
				await page.goto(plaza().url + path);
				await waitUntilLive(page);
				await page.locator(".rows > li").first().waitFor();
				await checkTouchLayout(page);
				assert.ok((await checkAccessibleNames(page)).length > 3);
				assert.equal(await page.locator("nav [aria-current=page]").count(), 1);
			}
			assert.deepEqual(all, []);
			await closeAll();
		});
	});
