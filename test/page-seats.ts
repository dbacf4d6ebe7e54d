// Shows for the tests of the page /shows, and helpers that read its seat map.
import assert from "node:assert/strict";
import type { Page, WebSocketRoute } from "playwright-core";
import { type Account, accountWith, createShow, type Hold, holdSeats } from "./client.seats.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import type { Person } from "./page-market.ts";
import type { System } from "./system.ts";

export type SeatState = "free" | "picked" | "mine" | "bought" | "held" | "sold";

export const seat = (page: Page, name: string) => page.locator(`#frame [data-seat="${name}"]`);
export const waitForSeats = async (page: Page, state: SeatState, ...names: string[]) => {
	for (const name of names) await page.waitForSelector(`#frame [data-seat="${name}"][data-state="${state}"]`);
};
export const hold = (page: Page, seats: string) =>
	page.locator("#holds .hold").filter({ has: page.locator(".names", { hasText: seats }) });
export const pickSeats = async (page: Page, ...names: string[]) => {
	for (const name of names) {
		await seat(page, name).click();
		await waitForSeats(page, "picked", name);
	}
};
export const pressHold = (page: Page) => page.locator("#hold [type=submit]").click();
export const waitForText = (page: Page, selector: string, text: RegExp) =>
	eventually(async () => assert.match((await page.textContent(selector)) ?? "", text), `${selector} to show ${text}`);

/** Row names from A on, with this many seats each: the first two rows are stalls at 45, the others circle at 28.50. */
export const rowsOf = (rows: number, seats: number) =>
	Array.from({ length: rows * seats }, (_, n) => {
		const index = Math.floor(n / seats);
		const row = index < 26 ? String.fromCharCode(65 + index) : `R${index}`;
		const number = (n % seats) + 1;
		const [category, price] = index < 2 ? ["stalls", 45] : ["circle", 28.5];
		return { seat: `${row}${number}`, row, number, category, price };
	});

/** A connection of the page that the test can cut, and keep cut. */
export async function cuttable(page: Page) {
	const sockets: WebSocketRoute[] = [];
	let isCut = false;
	await page.routeWebSocket("**/socket.io/**", socket => {
		sockets.push(socket);
		if (isCut) void socket.close();
		else socket.connectToServer();
	});
	return {
		cut: async () => {
			isCut = true;
			for (const socket of sockets.splice(0)) await socket.close();
			await page.waitForSelector("#connection[data-state=waiting]");
		},
		mend: () => {
			isCut = false;
		}
	};
}

/** Helpers for a running system of either profile. */
export const seatHelpers = (plaza: () => System, theAdmin: () => Promise<Person>) => {
	const accountOf = async ({ email, password }: Person): Promise<Account> => {
		const { json } = await httpClient(plaza().url).post("/api/auth/login", { email, password });
		return accountWith(plaza().url, json.user.id, json.token);
	};

	return {
		/** The largest show may take a busy machine too long: 503. */
		newShow: async (seats: object[] = rowsOf(4, 8), queue?: object) => {
			const admin = await accountOf(await theAdmin());
			const make = () => createShow(admin, seats, { name: fresh("Hamlet"), ...(queue && { queue }) });
			return eventually(make, "the show to be made", 120_000);
		},
		/** Holds seats over HTTP. Resolves to functions that confirm and release them. */
		holdElsewhere: async (person: Person, showId: string, ...seats: string[]) => {
			const account = await accountOf(person);
			const { holdId } = await holdSeats(account, showId, seats);
			const confirm = async () => assert.equal((await account.confirm(holdId)).status, 200);
			const release = async () => assert.equal((await account.release(holdId)).status, 204);
			return { confirm, release };
		},
		openHolds: async (person: Person): Promise<Hold[]> => (await (await accountOf(person)).get("/api/holds")).json
	};
};
