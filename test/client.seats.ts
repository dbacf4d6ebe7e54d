// Accounts that make shows, hold seats and buy them over HTTP, and the seat map as anyone reads it.
import assert from "node:assert/strict";
import { type Answer, eventually, fresh, httpClient } from "./client.ts";
import type { System } from "./system.ts";
import { mint, newAccount } from "./tokens.ts";

export type SeatStatus = "free" | "held" | "sold";

export interface Seat {
	seat: string;
	row: string;
	number: number;
	category: string;
	price: number;
	status: SeatStatus;
}

export interface SeatMap {
	showId: string;
	version: number;
	seats: Seat[];
}

export interface Account {
	id: string;
	token: string;
	get(path: string, headers?: Record<string, string>): Promise<Answer>;
	post(path: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
	delete(path: string): Promise<Answer>;
	/** Asks for these seats of a show, or for the best ones. */
	hold(showId: string, asked: object | string[], headers?: Record<string, string>): Promise<Answer>;
	confirm(holdId: string): Promise<Answer>;
	release(holdId: string): Promise<Answer>;
	/** The ids of the open holds. */
	openHolds(): Promise<string[]>;
}

const startsAt = "2030-05-01T19:30:00.000Z";

/** An account with a new token, which uses the gateway at `url`. The system must have been started with the tests' JWT_SECRET. */
export async function openAccount(url: string, role: "user" | "admin" = "user", id = newAccount()): Promise<Account> {
	return accountWith(url, id, await mint(id, { role }));
}

/** The account of this token, which uses the gateway at `url`. */
export function accountWith(url: string, id: string, token: string): Account {
	const own = { authorization: `Bearer ${token}` };
	const http = httpClient(url);
	const post = (path: string, body?: object, headers: Record<string, string> = {}) =>
		http.post(path, body, { ...own, ...headers });
	const send = (method: string, path: string) => http.send(method, path, own);
	const get = (path: string, headers: Record<string, string> = {}) => http.get(path, { ...own, ...headers });
	return {
		id,
		token,
		get,
		post,
		delete: path => send("DELETE", path),
		hold: (showId, asked, headers) =>
			post(`/api/shows/${showId}/holds`, Array.isArray(asked) ? { seats: asked } : asked, headers),
		confirm: holdId => post(`/api/holds/${holdId}/confirm`),
		release: holdId => send("DELETE", `/api/holds/${holdId}`),
		async openHolds() {
			const { status, json, text } = await get("/api/holds");
			assert.equal(status, 200, text);
			return json.map(({ holdId }: { holdId: string }) => holdId);
		}
	};
}

/** `rows` rows (A, B, …) of `perRow` seats: A1, A2, … */
export const seatNames = (rows: number, perRow: number): string[] =>
	Array.from({ length: rows * perRow }, (_, n) => `${String.fromCharCode(65 + Math.floor(n / perRow))}${(n % perRow) + 1}`);

/** Makes a show. Resolves to its id. */
export const newShow = async (url: string, seats: (object | string)[], more: object = {}): Promise<string> =>
	(await createShow(await openAccount(url, "admin"), seats, more)).showId;

/** Makes a show as this admin. `more`: fields of the request that replace the default ones. */
export async function createShow(
	admin: Account,
	seats: (object | string)[],
	more: object = {}
): Promise<{ showId: string; name: string }> {
	const { status, json, text } = await admin.post("/api/shows", { name: fresh("show"), startsAt, seats, ...more });
	assert.equal(status, 201, text);
	return json;
}

export async function seatMapOf(url: string, showId: string): Promise<SeatMap> {
	const { status, json, text } = await httpClient(url).get(`/api/shows/${showId}/seats`);
	assert.equal(status, 200, text);
	return json;
}

/** Seat → status. */
export const statusesOf = ({ seats }: { seats: readonly { seat: string; status: SeatStatus }[] }): Record<string, SeatStatus> =>
	Object.fromEntries(seats.map(({ seat, status }) => [seat, status]));

/** The seats with this status, in the order of the map. */
export const seatsThatAre = (status: SeatStatus, { seats }: SeatMap): string[] =>
	seats.filter(one => one.status === status).map(({ seat }) => seat);

export interface Hold {
	holdId: string;
	showId: string;
	seats: string[];
	total: number;
	expiresAt: string;
}

/** Holds these seats, or the best ones; fails if they are refused. */
export async function holdSeats(
	buyer: Account,
	showId: string,
	asked: object | string[],
	headers?: Record<string, string>
): Promise<Hold> {
	const { status, json, text } = await buyer.hold(showId, asked, headers);
	assert.equal(status, 201, text);
	return json;
}

/** Buys seats: holds and confirms them, again if the hold ends before a slow machine has confirmed it. Resolves to the hold's id. */
export const buySeats = (buyer: Account, showId: string, seats: string[]): Promise<string> =>
	eventually(
		async () => {
			const held = await buyer.hold(showId, seats);
			assert.equal(held.status, 201, held.text);
			const sold = await buyer.confirm(held.json.holdId);
			assert.equal(sold.status, 200, sold.text);
			return held.json.holdId as string;
		},
		`${seats.join(", ")} to be bought`
	);

/** Seats of two categories, with prices that binary fractions cannot hold. */
export const PRICED_SEATS = [
	{ seat: "S1", row: "S", number: 1, category: "stalls", price: 30.5 },
	{ seat: "S2", row: "S", number: 2, category: "stalls", price: 30.5 },
	{ seat: "S3", row: "S", number: 3, category: "stalls", price: 30.5 },
	{ seat: "T1", row: "T", number: 1, category: "circle", price: 0.1 },
	{ seat: "T2", row: "T", number: 2, category: "circle", price: 0.2 }
];

/** Accounts and shows of a system that has been started with the tests' JWT_SECRET. The map is read from another gateway, if there are two. */
export const seatClients = (plaza: () => System) => {
	const url = () => plaza().url;
	const lastUrl = () => plaza().urls.at(-1) as string;
	return {
		url,
		lastUrl,
		as: (role?: "user" | "admin") => openAccount(url(), role),
		/** Default: two rows of four seats. */
		show: (seats: (object | string)[] = seatNames(2, 4), more?: object) => newShow(url(), seats, more),
		map: (showId: string) => seatMapOf(lastUrl(), showId)
	};
};
