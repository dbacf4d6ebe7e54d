// Users, products and orders for the tests of the market pages, and helpers that read those pages.
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { userCreate } from "../services/users/users.create.fixture.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { newPerson, signIn } from "./page-accounts.story.ts";
import { type System, servers } from "./system.ts";

export interface Person {
	email: string;
	password: string;
	name: string;
}

const ADDRESS = { name: "Ann", street: "1 Main Street", city: "10431 Athens", country: "Greece" };

/** Records every toast from now on. Resolves to a function that returns their texts in order. */
export async function toastsOf(page: Page): Promise<() => Promise<string[]>> {
	const toasts = await page.evaluateHandle<string[]>(`(() => {
		const texts = [];
		const added = records => records.flatMap(({ addedNodes }) => [...addedNodes]);
		new MutationObserver(records => texts.push(...added(records).map(({ textContent }) => textContent)))
			.observe(document.querySelector("#toasts"), { childList: true });
		return texts;
	})()`);
	return () => toasts.jsonValue();
}

export const product = (page: Page, productId: string) => page.locator(`[data-product="${productId}"]`);
export const order = (page: Page, orderId: string) => page.locator(`[data-order="${orderId}"]`);
export const waitForStockText = (page: Page, productId: string, text: string) =>
	eventually(
		async () => assert.equal(await page.locator(`#products [data-product="${productId}"] .left`).textContent(), text),
		`the page to show ${text}`
	);
export const waitForStatus = (page: Page, orderId: string, text: string) =>
	page.waitForSelector(`[data-order="${orderId}"][data-status="${text}"]`);

/** Fills in the quantity of a product and the shipping address. */
export async function choose(page: Page, productId: string, quantity: number) {
	await product(page, productId).locator(".quantity").fill(String(quantity));
	for (const [field, text] of Object.entries(ADDRESS)) await page.locator(`#ship-${field}`).fill(text);
}

/** Places an order with the page. Resolves to the order's id. */
export async function orderOn(page: Page, productId: string, quantity: number): Promise<string> {
	await choose(page, productId, quantity);
	const answered = page.waitForResponse(
		response => response.url().endsWith("/api/orders") && response.request().method() === "POST"
	);
	await page.getByRole("button", { name: "Order", exact: true }).click();
	return (await (await answered).json()).orderId;
}

/** Helpers for a running system of either profile. */
export const marketHelpers = (plaza: () => System) => {
	let admin: Promise<Person> | undefined;
	const http = () => httpClient(plaza().url);

	async function makeAdmin(): Promise<Person> {
		const person = { ...newPerson(), name: "Boss" };
		const { profile, dataDir } = plaza();
		const env: Record<string, string> =
			profile === "embedded" ? { DATA_DIR: dataDir as string } : { PROFILE: profile, ...servers() };
		const { code, err } = await userCreate(
			env,
			["--email", person.email, "--admin", "--name", person.name],
			`${person.password}\n`
		);
		assert.equal(code, 0, err);
		return person;
	}
	const theAdmin = () => (admin ??= makeAdmin());

	const headersOf = async ({ email, password }: Person) => {
		const { json } = await http().post("/api/auth/login", { email, password });
		return { authorization: `Bearer ${json.token}`, "content-type": "application/json" };
	};

	return {
		theAdmin,
		newBuyer: async (): Promise<Person> => {
			const person = newPerson();
			assert.equal((await http().post("/api/auth/register", person)).status, 201);
			return person;
		},
		/** Signs in with the page's dialog. */
		signIn: (page: Page, person: Person) => signIn(page, person),
		newProduct: async (stock: number, price = 12.5): Promise<{ productId: string; sku: string; name: string }> => {
			const asked = { name: fresh("Olive oil"), description: "Cold pressed", price, sku: fresh("sku"), stock };
			const { status, json, text } = await http().post("/api/products", asked, await headersOf(await theAdmin()));
			assert.equal(status, 201, text);
			return json;
		},
		/** Moves an order through these statuses over HTTP, as the admin. */
		moveTo: async (orderId: string, ...statuses: string[]) => {
			const headers = await headersOf(await theAdmin());
			for (const status of statuses) {
				const answer = await http().send("PATCH", `/api/orders/${orderId}/status`, headers, { status });
				assert.equal(answer.status, 200, answer.text);
			}
		},
		/** Places an order over HTTP. Resolves to the order's id. */
		order: async (person: Person, productId: string, quantity: number): Promise<string> => {
			const asked = { items: [{ productId, quantity }], shippingAddress: ADDRESS };
			const { status, json, text } = await http().post("/api/orders", asked, await headersOf(person));
			assert.equal(status, 201, text);
			return json.orderId;
		}
	};
};
