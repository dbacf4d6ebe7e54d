// Accounts on the page, in a real browser: registration, sign-in, sign-out, token refresh, and what must and must not end a session.
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import type { BrowserContext, Page, Request, WebSocketRoute } from "playwright-core";
import { noBrowser } from "./browser.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { consoleErrors, openBrowserFor, row, waitForBalance, waitForCount, waitUntilLive } from "./page.ts";
import { countOf } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

interface Person {
	email: string;
	password: string;
	name: string;
}

export const newPerson = (): Person => {
	const email = `${fresh("ann")}@example.org`;
	return { email, password: fresh("password"), name: `Ann ${email.slice(4, 10)}` };
};

export const submitWith = async (page: Page, details: Partial<Person>) => {
	for (const [field, text] of Object.entries(details)) await page.locator(`dialog #${field}`).fill(text);
	await page.locator("dialog [type=submit]").click();
};
export const waitForUser = (page: Page, name: string) => page.locator("#user", { hasText: name }).waitFor();

const register = async (page: Page, person: Person) => {
	await page.locator("#account").click();
	await page.locator("dialog .other").click();
	await submitWith(page, person);
	await waitForUser(page, person.name);
	await waitUntilLive(page);
};
export const signIn = async (page: Page, { email, password, name }: Person) => {
	await page.locator("#account").click();
	await submitWith(page, { email, password });
	await waitForUser(page, name);
	await waitUntilLive(page);
};
const signOut = async (page: Page) => {
	await page.locator("#account", { hasText: "Sign out" }).click();
	await waitForUser(page, "test-user");
};
const buy = async (page: Page, amount: string) => {
	await page.getByLabel("amount").fill(amount);
	await page.keyboard.press("Enter");
};
const waitForNotice = (page: Page, text: RegExp) => page.locator("#notice", { hasText: text }).waitFor();

const REFRESH = "**/api/auth/refresh";
const REFUSAL = { status: 401, json: { message: "This token is not valid", type: "UNAUTHORIZED" } };

/** Records the page's requests to /api/auth, and their failed responses. */
function authOf(where: Page | BrowserContext) {
	const requests: string[] = [];
	const refused: string[] = [];
	where.on("request", (request: Request) => {
		const { pathname } = new URL(request.url());
		if (pathname.startsWith("/api/auth/")) requests.push(pathname.slice("/api/auth/".length));
	});
	where.on("response", response => {
		if (response.url().includes("/api/auth/") && response.status() >= 400) refused.push(`${response.status()} ${response.url()}`);
	});
	return { requests, refused };
}

/** Sets `expiresAt` of refreshed tokens to `lifeMs` from now; the server accepts them longer. */
const shortLived = (page: Page, lifeMs: number) =>
	page.route(REFRESH, async route => {
		const response = await route.fetch();
		const answer = await response.json();
		await route.fulfill({ response, json: { ...answer, expiresAt: new Date(Date.now() + lifeMs).toISOString() } });
	});

/** Records the sockets of a page, the oldest first, and the frames that it sends; `block` may drop a frame before it reaches the server. */
async function socketsOf(page: Page, block: (frame: Record<string, unknown>, socket: WebSocketRoute) => boolean = () => false) {
	const sockets: { route: WebSocketRoute; sent: { code?: string; id?: string; data?: { token?: string } }[] }[] = [];
	await page.routeWebSocket("**/ws", route => {
		const socket = { route, sent: [] as never[] as (typeof sockets)[number]["sent"] };
		sockets.push(socket);
		const server = route.connectToServer();
		route.onMessage(text => {
			const frame = JSON.parse(String(text));
			socket.sent.push(frame);
			if (!block(frame, route)) server.send(text);
		});
	});
	return sockets;
}
const tokensOf = ({ sent }: { sent: { code?: string; data?: { token?: string } }[] }) =>
	sent.filter(({ code }) => code === "connect").map(({ data }) => data?.token);

/** A proxy to the server that delays the response to a refresh, for longer than a page load. */
async function delayingProxy(url: string, delayMs: number) {
	let held = 0;
	const server = createServer(client => {
		const upstream = connect(Number(new URL(url).port), "127.0.0.1");
		let remainingMs = 0;
		client.on("data", part => {
			remainingMs = part.includes("POST /api/auth/refresh") ? delayMs : 0;
			upstream.write(part);
		});
		upstream.on("data", part => {
			if (remainingMs > 0) held++;
			setTimeout(() => client.write(part), remainingMs);
		});
		upstream.on("close", () => setTimeout(() => client.destroy(), remainingMs));
		client.on("close", () => upstream.destroy());
		for (const socket of [client, upstream]) socket.on("error", () => {});
	});
	await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
	server.unref();
	const { port } = server.address() as { port: number };
	return { url: `http://127.0.0.1:${port}`, held: () => held, close: () => server.close() };
}

export const pageAccountsStory = (plaza: () => System) =>
	describe("accounts on the page", { skip: noBrowser }, () => {
		const { address, newPage, open, closeAll } = openBrowserFor(plaza);
		const api = () => httpClient(plaza().url);
		/** Opens a page, and registers an account on it. */
		const openMember = async (url?: string) => {
			const [page, person] = [await open(undefined, url), newPerson()];
			const answered = page.waitForResponse("**/api/auth/register");
			await register(page, person);
			const { user, token } = await (await answered).json();
			return { page, person, id: user.id as string, token: token as string };
		};
		const openTab = async (page: Page) => {
			const tab = await page.context().newPage();
			await tab.goto(page.url());
			await waitUntilLive(tab);
			return tab;
		};

		it("allow to register and buy, to be a guest again after signing out, and to sign in from another browser", async () => {
			const { page, person, id, token } = await openMember();
			await waitForBalance(page, "0.00");
			await buy(page, "49.99");
			await waitForBalance(page, "49.99");
			const { json } = await api().get(`/api/wallet/${id}`, { authorization: `Bearer ${token}` });
			assert.deepEqual(json, { balances: { total: 49.99 } });

			await signOut(page);
			await waitUntilLive(page);
			assert.equal(await page.locator("#purchases li").count(), 0);
			assert.equal(await page.evaluate("localStorage.length"), 0);
			const { balances } = (await api().get("/api/wallet/test-user")).json;
			await waitForBalance(page, balances.total.toFixed(2));

			const otherBrowser = await open(undefined, plaza().urls.at(-1));
			await signIn(otherBrowser, person);
			await waitForBalance(otherBrowser, "49.99");
			await closeAll();
		});

		it("update every tab of the user, and send picks with the user's id", async () => {
			const [name, { page, person, id }] = [ownName(), await openMember()];
			const earlier = await countOf(plaza(), name);
			const otherBrowser = await open(undefined, plaza().urls.at(-1));
			await signIn(otherBrowser, person);
			const picked = page.waitForRequest("**/api/selections/async");
			await row(page, name).getByRole("button").click();
			assert.equal((await picked).postDataJSON().user_id, id);
			for (const one of [page, otherBrowser]) await waitForCount(one, name, earlier + 1);
			await buy(otherBrowser, "0.10");
			for (const one of [page, otherBrowser]) await waitForBalance(one, "0.10");
			await closeAll();
		});

		it("cannot be used from another browser, neither without a token nor with another account's token", async () => {
			const [name, victim, other] = [ownName(), await openMember(), await openMember(plaza().urls.at(-1))];
			const guest = await open();
			const earlier = await countOf(plaza(), name);
			const tries = (token?: string, own?: string) => `(async () => {
				const [user_id, token, own] = ${JSON.stringify([victim.id, token ?? null, own ?? null])};
				const headers = { "Content-Type": "application/json", ...(token && { Authorization: "Bearer " + token }) };
				const post = (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
				const answers = await Promise.all([
					post("/api/selections/async", { name: ${JSON.stringify(name)}, id: crypto.randomUUID(), user_id }),
					post("/api/selections/synchronization", { user_id }),
					post("/api/purchases", { user_id, amount: 1 }),
					fetch("/api/wallet/" + user_id, { headers })
				]);
				const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
				await new Promise(resolve => { socket.onopen = resolve; });
				const ask = frame => new Promise(resolve => {
					socket.onmessage = ({ data }) => resolve(JSON.parse(data));
					socket.send(JSON.stringify(frame));
				});
				const connect = user => ask({ code: "connect", data: { user, ...(token && { token }) } });
				const refused = [await connect(user_id)];
				if (own) await connect(own);
				refused.push(await ask({ user_id, amount: 1 }));
				socket.close();
				return [...answers.map(({ status }) => status), ...refused.map(({ data }) => data.type)];
			})()`;
			const of = (status: number, type: string) => [status, status, status, status, type, type];
			assert.deepEqual(await guest.evaluate(tries()), of(401, "UNAUTHORIZED"));
			assert.deepEqual(await guest.evaluate(tries("made.up.token")), of(401, "UNAUTHORIZED"));
			assert.deepEqual(await other.page.evaluate(tries(other.token, other.id)), of(403, "FORBIDDEN"));
			await waitForBalance(victim.page, "0.00");
			assert.equal(await countOf(plaza(), name), earlier);

			await guest.goto(address(victim.id));
			await guest.waitForSelector("#connection[data-state=refused]");
			await closeAll();
		});

		it("cause no request to /api/auth for a guest, and one refresh per page load for a signed-in user", async () => {
			const page = await newPage();
			const { requests } = authOf(page);
			await page.goto(address());
			await waitUntilLive(page);
			await page.reload();
			await waitUntilLive(page);
			assert.deepEqual(requests, []);
			const person = newPerson();
			await register(page, person);
			await page.reload();
			await waitUntilLive(page);
			await waitForUser(page, person.name);
			assert.deepEqual(requests, ["register", "refresh"]);
			await closeAll();
		});

		it("leave no token where a script or the next user could find it", async () => {
			const { page } = await openMember();
			const kept = await page.evaluate<string[]>(
				"[...Object.entries(localStorage), ...Object.entries(sessionStorage)].flat().concat(document.cookie)"
			);
			assert.ok(kept.some(text => text.includes("acct_")));
			for (const text of kept) assert.doesNotMatch(text, /ey[\w-]+\.[\w-]+\.|password-/);
			const [cookie, ...others] = await page.context().cookies(`${plaza().url}/api/auth/refresh`);
			assert.deepEqual(others, []);
			assert.deepEqual([cookie?.httpOnly, cookie?.sameSite, cookie?.path], [true, "Strict", "/api/auth"]);
			await closeAll();
		});

		for (const locks of [true, false])
			it(`stay signed in when two tabs are reloaded together many times${locks ? "" : ", in a browser without Web Locks"}`, async () => {
				const { page, person } = await openMember();
				const context = page.context();
				if (!locks) await context.addInitScript("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })");
				const { refused } = authOf(context);
				const tabs = [page, await openTab(page)];
				// Do not wait until a page has loaded: most reloads interrupt something.
				for (let n = 0; n < 15; n++) await Promise.all(tabs.map(tab => tab.reload({ waitUntil: "domcontentloaded" })));
				for (const tab of tabs) {
					await waitUntilLive(tab);
					await waitForUser(tab, person.name);
				}
				assert.deepEqual(refused, []);
				await closeAll();
			});

		it("stay signed in when the page is reloaded while a refresh is in flight", async t => {
			const proxy = await delayingProxy(plaza().url, 2_000);
			t.after(proxy.close);
			const { page, person } = await openMember(proxy.url);
			const { refused, requests } = authOf(page.context());
			for (let n = 1; n <= 2; n++) {
				await page.reload({ waitUntil: "commit" });
				// Now only the newest token is valid, and the page that requested it is about to be reloaded.
				await eventually(() => assert.equal(proxy.held(), n), "the server to have answered");
			}
			await page.reload();
			await waitUntilLive(page);
			await waitForUser(page, person.name);
			assert.equal(requests.filter(path => path === "refresh").length, 3);
			assert.deepEqual(refused, []);
			await closeAll();
		});

		it("renew the token before it expires, and send it on the open socket", async () => {
			const { page, person } = await openMember();
			const sockets = await socketsOf(page);
			await shortLived(page, 6_000);
			await page.reload();
			await waitUntilLive(page);
			await eventually(() => assert.ok(tokensOf(sockets[0] as never).length >= 3), "two more tokens on the first socket");
			const tokens = tokensOf(sockets[0] as never);
			assert.equal(tokens.every(Boolean), true);
			assert.equal(sockets.length, 1);
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("refresh the token after the machine has slept for longer than its lifetime", async () => {
			const { page, person } = await openMember();
			await page.clock.install();
			await page.reload();
			await waitUntilLive(page);
			await waitForBalance(page, "0.00");
			const { requests, refused } = authOf(page);
			await page.clock.fastForward("20:00");
			await eventually(() => assert.deepEqual(requests, ["refresh"]), "the page to refresh its token");
			await buy(page, "3");
			await waitForBalance(page, "3.00");
			assert.deepEqual(refused, []);
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("rely on the server's clock, not on the browser's", async () => {
			const { page, person } = await openMember();
			await page.clock.install({ time: Date.now() + 24 * 60 * 60_000 });
			const { requests } = authOf(page);
			await page.reload();
			await waitUntilLive(page);
			await buy(page, "1");
			await waitForBalance(page, "1.00");
			// By the browser's own clock the token would have to be renewed by now.
			await page.clock.fastForward("05:00");
			await buy(page, "1");
			await waitForBalance(page, "2.00");
			await waitForUser(page, person.name);
			assert.deepEqual(requests, ["refresh"]);
			await closeAll();
		});

		it("refresh the token and reconnect when the server closes the socket because its token expired", async () => {
			const { page, person } = await openMember();
			const sockets = await socketsOf(page);
			await page.reload();
			await waitUntilLive(page);
			const { requests } = authOf(page);
			sockets[0]?.route.close({ code: 4401, reason: "token ended" });
			await page.waitForSelector("#connection[data-state=waiting]");
			await waitUntilLive(page);
			await buy(page, "2.50");
			await waitForBalance(page, "2.50");
			assert.deepEqual(requests, ["refresh"]);
			const [first, second] = sockets.map(socket => tokensOf(socket)[0]);
			assert.ok(first && second);
			await waitForUser(page, person.name);
			await closeAll();
		});

		it("refresh a refused token, and then repeat picks and purchases with the same ids", async () => {
			const name = ownName();
			const { page } = await openMember();
			let refusals = 0;
			const sockets = await socketsOf(page, ({ amount, id }, socket) => {
				if (amount === undefined || refusals++ > 0) return false;
				socket.send(JSON.stringify({ code: "error", data: { ...REFUSAL.json, id } }));
				return true;
			});
			await page.reload();
			await waitUntilLive(page);
			const earlier = await countOf(plaza(), name);
			const { requests } = authOf(page);

			const picks: { id: string; token: string | undefined }[] = [];
			await page.route("**/api/selections/async", route => {
				picks.push({ id: route.request().postDataJSON().id, token: route.request().headers().authorization });
				return picks.length === 1 ? route.fulfill(REFUSAL) : route.continue();
			});
			await row(page, name).getByRole("button").click();
			await waitForCount(page, name, earlier + 1);
			assert.equal(picks[0]?.id, picks[1]?.id);
			assert.deepEqual(requests, ["refresh"]);

			await buy(page, "7");
			await waitForBalance(page, "7.00");
			const bought = sockets.flatMap(({ sent }) => sent).filter(frame => "amount" in frame);
			assert.equal(bought.length, 2);
			assert.equal(bought[0]?.id, bought[1]?.id);
			assert.deepEqual(requests, ["refresh", "refresh"]);
			assert.equal(await page.textContent("#problem"), "");
			await closeAll();
		});

		it("show a notice when the session has ended, and keep unsent picks for the same user only", async () => {
			const name = ownName();
			const { page, person, id, token } = await openMember();
			const earlier = await countOf(plaza(), name);
			const users: string[] = [];
			let isUnavailable = true;
			await page.route("**/api/selections/async", route => {
				users.push(route.request().postDataJSON().user_id);
				return isUnavailable ? route.fulfill({ status: 503, json: { message: "unavailable" } }) : route.continue();
			});
			await row(page, name).getByRole("button").click();
			await page.locator("#waiting", { hasText: "1" }).waitFor();
			assert.equal((await api().post("/api/auth/logout", undefined, { authorization: `Bearer ${token}` })).json.ended, true);
			isUnavailable = false;

			await waitForNotice(page, /session has ended.*\(1\) is kept/);
			await waitForUser(page, "test-user");
			await waitUntilLive(page);
			await row(page, name).getByRole("button").click();
			await waitForCount(page, name, earlier + 1);
			const [first, ...others] = await page.evaluate<string[]>("Object.keys(localStorage)");
			assert.match(first ?? "", new RegExp(`^plaza/${id}/picks/`));
			assert.deepEqual(others, []);

			const stranger = newPerson();
			await register(page, stranger);
			await waitForBalance(page, "0.00");
			await signOut(page);
			await signIn(page, person);
			await waitForCount(page, name, earlier + 2);
			assert.equal(await page.textContent("#notice"), "");
			assert.deepEqual(new Set(users), new Set([id, "test-user"]));
			assert.deepEqual(await page.evaluate("Object.keys(localStorage)"), ["plaza/account"]);
			await closeAll();
		});

		it("sign in and out in all tabs at once", async () => {
			const one = await open();
			const two = await openTab(one);
			const person = newPerson();
			await two.locator("#account").click();
			await two.locator("dialog").waitFor();
			await register(one, person);
			await waitForUser(two, person.name);
			await waitUntilLive(two);
			assert.equal(await two.locator("dialog").count(), 0);
			await buy(two, "1.20");
			for (const tab of [one, two]) await waitForBalance(tab, "1.20");

			await signOut(two);
			await waitForUser(one, "test-user");
			await waitUntilLive(one);
			assert.equal(await one.textContent("#notice"), "");
			assert.equal(await one.locator("#account").textContent(), "Sign in");
			await closeAll();
		});

		it("stay signed in when a sign-out or a refresh does not reach the server", async () => {
			const { page, person } = await openMember();
			await page.context().setOffline(true);
			await page.locator("#account").click();
			await waitForNotice(page, /still signed in/);
			assert.equal(await page.textContent("#user"), person.name);
			await page.context().setOffline(false);
			await waitUntilLive(page);

			let refreshes = 0;
			await page.route(REFRESH, route => (refreshes++ < 2 ? route.abort() : route.continue()));
			await page.reload();
			await waitUntilLive(page);
			await waitForUser(page, person.name);
			assert.equal(refreshes, 3);
			await signOut(page);
			await closeAll();
		});

		it("comply with the strict content security policy, also in the dialogs", async () => {
			const page = await newPage();
			const all = consoleErrors(page);
			await page.goto(address());
			await waitUntilLive(page);
			const person = newPerson();
			await register(page, person);
			await buy(page, "1");
			await waitForBalance(page, "1.00");
			await page.reload();
			await waitUntilLive(page);
			await signOut(page);
			await signIn(page, person);
			await waitForBalance(page, "1.00");
			assert.deepEqual(all, []);
			await closeAll();
		});
	});
