// Helpers of the page tests: browsers, and selectors and checks of the page.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { openBrowser } from "./browser.ts";
import { eventually, WAIT_MS } from "./client.ts";
import type { System } from "./system.ts";

/** Collects the page's errors: exceptions, policy violations, and files that could not be loaded. */
export function consoleErrors(page: Page): string[] {
	const all: string[] = [];
	page.on("pageerror", error => all.push(String(error)));
	page.on("console", message => message.type() === "error" && all.push(message.text()));
	return all;
}

export const waitUntilLive = (page: Page) => page.waitForSelector("#connection[data-state=live]");
/** The list arrives after the connection is live. */
export const waitForRows = (page: Page) => page.waitForSelector("[data-selection]");
export const row = (page: Page, name: string) => page.locator(`[data-selection="${name}"]`);
export const count = async (page: Page, name: string) => Number(await row(page, name).locator(".count").textContent());
export const waitForCount = (page: Page, name: string, expected: number) =>
	eventually(async () => assert.equal(await count(page, name), expected), `the page to show ${name} ${expected}`);
export const waitForBalance = (page: Page, expected: string) =>
	eventually(async () => assert.equal(await page.textContent("#balance"), expected), `the balance to be ${expected}`);

/** Checks that every visible control and image has an accessible name. Resolves to them. */
export async function checkAccessibleNames(page: Page) {
	const devtools = await page.context().newCDPSession(page);
	const { nodes } = await devtools.send("Accessibility.getFullAXTree");
	const named = nodes.filter(
		({ ignored, role }) =>
			!ignored && ["button", "textbox", "spinbutton", "link", "meter", "table", "image", "dialog"].includes(role?.value)
	);
	for (const { role, name } of named) assert.ok(name?.value.trim(), `a ${role?.value} without a name`);
	return named;
}

/** Checks that every control is large enough for touch, and that the page is not wider than the screen. */
export async function checkTouchLayout(page: Page) {
	for (const control of await page.locator("button:visible, input:visible, nav a:visible").all()) {
		const box = await control.boundingBox();
		assert.ok(box && box.height >= 44 && box.width >= 44, `${await control.textContent()} is ${box?.width} x ${box?.height}`);
	}
	const [wide, width] = await page.evaluate<number[]>("[document.documentElement.scrollWidth, innerWidth]");
	assert.ok((wide as number) <= (width as number), `${wide} wide on a screen of ${width}`);
}

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

interface ObservedText {
	text: string;
	atMs: number;
}

/** Records every text that an element shows from now on, with its time. */
export async function follow(page: Page, selector: string): Promise<() => Promise<ObservedText[]>> {
	const texts = await page.evaluateHandle<ObservedText[]>(`(() => {
		const element = document.querySelector(${JSON.stringify(selector)});
		const texts = [{ text: element.textContent, atMs: performance.now() }];
		new MutationObserver(() => texts.push({ text: element.textContent, atMs: performance.now() })).observe(element, { childList: true });
		return texts;
	})()`);
	return () => texts.jsonValue();
}

/** Opens a browser for the calling suite. */
export function openBrowserFor(plaza: () => System) {
	let browser: Browser;
	const contexts: BrowserContext[] = [];
	before(async () => {
		browser = await openBrowser();
	});
	after(() => browser?.close());

	const address = (user?: string, url = plaza().url) => `${url}/index.html${user ? `?user=${encodeURIComponent(user)}` : ""}`;
	const newPage = async (options?: Parameters<Browser["newContext"]>[0]) => {
		const context = await browser.newContext(options);
		context.setDefaultTimeout(WAIT_MS);
		contexts.push(context);
		return context.newPage();
	};
	return {
		address,
		/** An empty page in a browser context of its own, which shares no cookies and no storage. */
		newPage,
		/** A connected page in a browser context of its own. */
		open: async (user?: string, url?: string) => {
			const page = await newPage();
			await page.goto(address(user, url));
			await waitUntilLive(page);
			await waitForRows(page);
			return page;
		},
		closeAll: () => Promise.all(contexts.splice(0).map(context => context.close()))
	};
}
