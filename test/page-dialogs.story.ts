// The sign-in and registration dialogs: messages, kept input, and use by keyboard, by screen reader and on a phone.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { noBrowser } from "./browser.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { checkAccessibleNames, checkTouchLayout, openBrowserFor, PHONE, waitUntilLive } from "./page.ts";
import { newPerson, submitWith, waitForUser } from "./page-accounts.story.ts";
import type { System } from "./system.ts";

const LOGIN = "**/api/auth/login";

const focused = (page: Page) => page.evaluate<string>("document.activeElement.id || document.activeElement.textContent");
const value = (page: Page, field: string) => page.locator(`dialog #${field}`).inputValue();
const errorAt = async (page: Page, field: string, text: RegExp) => {
	await page.locator(`#${field}-error`, { hasText: text }).waitFor();
	const input = page.locator(`dialog #${field}`);
	assert.equal(await input.getAttribute("aria-invalid"), "true");
	assert.match((await input.getAttribute("aria-describedby")) ?? "", new RegExp(`\\b${field}-error\\b`));
	assert.equal(await focused(page), field);
};
const waitForProblem = (page: Page, text: RegExp) => page.locator("dialog [role=alert]", { hasText: text }).waitFor();

export const pageDialogsStory = (plaza: () => System) =>
	describe("the dialogs of the page", { skip: noBrowser }, () => {
		const { address, newPage, open, closeAll } = openBrowserFor(plaza);
		const account = async () => {
			const person = newPerson();
			assert.equal((await httpClient(plaza().url).post("/api/auth/register", person)).status, 201);
			return person;
		};
		const openSignIn = async () => {
			const page = await open();
			await page.locator("#account").click();
			return page;
		};
		const openRegister = async () => {
			const page = await openSignIn();
			await page.locator("dialog .other").click();
			await page.locator("dialog #name").waitFor();
			return page;
		};

		it("show errors at their fields, and keep the input", async () => {
			const page = await openRegister();
			await submitWith(page, {});
			await errorAt(page, "email", /^Must not be empty\.$/);
			const person = newPerson();
			await submitWith(page, { ...person, email: "no address" });
			await errorAt(page, "email", /e-mail address/);
			await submitWith(page, { ...person, password: "short" });
			await errorAt(page, "password", /^Must be at least 10 characters long\.$/);
			assert.equal(await page.textContent("#email-error"), "");
			await submitWith(page, { ...person, password: "password123" });
			await errorAt(page, "password", /commonest/);
			assert.deepEqual([await value(page, "email"), await value(page, "name")], [person.email, person.name]);
			await page.locator("dialog #password").fill(person.password);
			assert.equal(await page.locator("#password-error").isVisible(), false);
			await page.keyboard.press("Enter");
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("report a taken address, and keep it when the user changes to the other dialog", async () => {
			const person = await account();
			const page = await openRegister();
			await submitWith(page, { ...person, email: person.email.toUpperCase() });
			await errorAt(page, "email", /has an account already/);
			await page.locator("dialog .other").click();
			await page.locator("dialog #name").waitFor({ state: "detached" });
			assert.equal(await value(page, "email"), person.email.toUpperCase());
			assert.equal(await value(page, "password"), "");
			await submitWith(page, { password: person.password });
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("show the same message for a wrong password and for an unknown address, and select the password", async () => {
			const { email } = await account();
			const page = await openSignIn();
			const said: (string | null)[] = [];
			for (const wrong of [{ email }, { email: newPerson().email }]) {
				await submitWith(page, { ...wrong, password: "not the password" });
				await waitForProblem(page, /Wrong e-mail address or password/);
				said.push(await page.textContent("dialog [role=alert]"));
				assert.equal(await focused(page), "password");
				assert.equal(await page.evaluate("getSelection().toString().length"), "not the password".length);
			}
			assert.equal(said[0], said[1]);
			assert.equal(await page.textContent("#user"), "test-user");
			await closeAll();
		});

		it("wait for the time in Retry-After without another request, and show how long", async () => {
			const person = await account();
			const page = await openSignIn();
			let asked = 0;
			await page.route(LOGIN, route =>
				asked++ === 0
					? route.fulfill({ status: 429, headers: { "Retry-After": "3" }, json: { message: "slow", type: "TOO_MANY_REQUESTS" } })
					: route.continue()
			);
			await submitWith(page, { email: person.email, password: person.password });
			await waitForProblem(page, /Too many attempts\. Wait 3 seconds/);
			await page.keyboard.press("Enter");
			await waitForProblem(page, /Wait (\d|a) second/);
			assert.equal(asked, 1);
			await waitForProblem(page, /You can try again now/);
			await page.locator("dialog [type=submit]").click();
			await waitForUser(page, person.name);
			assert.equal(asked, 2);
			await closeAll();
		});

		it("report that the server is unavailable, keep the input, and sign in once it is available", async () => {
			const person = await account();
			const page = await openSignIn();
			await page.context().setOffline(true);
			await submitWith(page, { email: person.email, password: person.password });
			await waitForProblem(page, /cannot be reached/);
			await page.context().setOffline(false);
			let answers = 0;
			await page.route(LOGIN, route =>
				answers++ === 0
					? route.fulfill({ status: 503, headers: { "Retry-After": "1" }, json: { message: "unavailable", type: "UNAVAILABLE" } })
					: route.continue()
			);
			await page.locator("dialog [type=submit]").click();
			await eventually(() => assert.equal(answers, 1), "the first attempt to be answered");
			await waitForProblem(page, /cannot be reached/);
			assert.deepEqual([await value(page, "email"), await value(page, "password")], [person.email, person.password]);
			await page.locator("dialog [type=submit]").click();
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("work with the keyboard alone, and return the focus when they close", async () => {
			const page = await open();
			const { keyboard } = page;
			await keyboard.press("Tab");
			assert.equal(await focused(page), "account");
			await keyboard.press("Enter");
			await page.locator("dialog").waitFor();
			assert.equal(await focused(page), "email");
			await keyboard.type("half an addr");
			await keyboard.press("Escape");
			await page.locator("dialog").waitFor({ state: "detached" });
			assert.equal(await focused(page), "account");

			await keyboard.press("Enter");
			assert.equal(await value(page, "email"), "");
			const until = async (name: string) => {
				for (let n = 0; n < 12 && (await focused(page)) !== name; n++) await keyboard.press("Tab");
				assert.equal(await focused(page), name);
			};
			await until("Register");
			await keyboard.press("Enter");
			await page.locator("dialog #name").waitFor();
			assert.equal(await focused(page), "email");
			const person = newPerson();
			await keyboard.type(person.email);
			await keyboard.press("Tab");
			await keyboard.type(person.name);
			await keyboard.press("Tab");
			await keyboard.type(person.password);
			await until("Show password");
			await keyboard.press("Space");
			assert.equal(await page.locator("dialog #password").getAttribute("type"), "text");
			assert.equal(await page.locator("dialog .reveal").getAttribute("aria-pressed"), "true");
			await keyboard.press("Shift+Tab");
			await keyboard.press("Enter");
			await waitForUser(page, person.name);
			await waitUntilLive(page);
			assert.equal(await focused(page), "account");
			await eventually(
				async () => assert.match((await page.textContent("#announcements")) ?? "", new RegExp(`signed in as ${person.name}`)),
				"the announcement for screen readers"
			);
			await keyboard.press("Enter");
			await waitForUser(page, "test-user");
			assert.equal(await focused(page), "account");
			await closeAll();
		});

		it("have the field names and autocomplete values that password managers expect", async () => {
			const page = await openSignIn();
			const fields = () =>
				page.evaluate<string[]>(
					"Array.from(document.querySelectorAll('dialog form input'), one => [one.name, one.type, one.autocomplete].join(' '))"
				);
			assert.deepEqual(await fields(), ["email email username", "password password current-password"]);
			await page.locator("dialog .other").click();
			await page.locator("dialog #name").waitFor();
			assert.deepEqual(await fields(), ["email email username", "name text nickname", "password password new-password"]);
			await page.locator("dialog .reveal").click();
			await page.route("**/api/auth/register", () => {});
			await submitWith(page, newPerson());
			assert.equal(await page.locator("dialog #password").getAttribute("type"), "password");
			await closeAll();
		});

		it("fit a phone, have large enough controls, and have accessible names", async () => {
			const page = await newPage(PHONE);
			await page.goto(address());
			await waitUntilLive(page);
			await page.locator("#account").click();
			for (const title of ["Sign in", "Register"]) {
				await page.getByRole("dialog", { name: title, exact: true }).waitFor();
				const named = await checkAccessibleNames(page);
				const names = named.map(({ role, name }) => `${role?.value} ${name?.value}`);
				// Elements behind the dialog must not be accessible.
				assert.equal(
					names.some(name => name.includes("Buy")),
					false
				);
				for (const expected of [
					`dialog ${title}`,
					"textbox e-mail",
					"textbox password",
					"button Show password",
					`button ${title}`
				])
					assert.ok(names.includes(expected), `${expected} is not among ${names.join(", ")}`);
				for (const control of await page.locator("dialog button, dialog input").all()) {
					const box = await control.boundingBox();
					assert.ok(box && box.height >= 44 && box.width >= 44 && box.x >= 0 && box.x + box.width <= 360, JSON.stringify(box));
				}
				await page.locator("dialog .other").click();
			}
			await page.keyboard.press("Escape");
			const long = { ...newPerson(), name: `${"W".repeat(40)} ${fresh("x").slice(0, 20)}` };
			await page.locator("#account").click();
			await page.locator("dialog .other").click();
			await submitWith(page, long);
			await waitForUser(page, long.name);
			await checkTouchLayout(page);
			await closeAll();
		});

		it("change nothing when they are closed before the response", async () => {
			const person = await account();
			const page = await openSignIn();
			const asking = page.waitForRequest(LOGIN);
			await page.route(LOGIN, () => {});
			await submitWith(page, { email: person.email, password: person.password });
			await asking;
			await page.keyboard.press("Escape");
			await page.locator("dialog").waitFor({ state: "detached" });
			await page.unroute(LOGIN);
			await page.locator("#account").click();
			await submitWith(page, { email: person.email, password: person.password });
			await waitForUser(page, person.name);
			await closeAll();
		});
	});
