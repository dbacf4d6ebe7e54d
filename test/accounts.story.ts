// Accounts over HTTP: registration, sign-in, token refresh, sign-out, and which requests need which token.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocket } from "./client.socket.ts";
import { type Answer, eventually, fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";
import { mint, newAccount } from "./tokens.ts";

const PASSWORD = "correct horse battery";
/** Options of `mint` for a token with a valid form and a wrong signature. */
const FORGED = { secret: "another secret that is long enough" };
/** The refresh cookie, as the server sets it for browsers. */
const COOKIE = /^plaza_refresh=([\w.-]*); Max-Age=(\d+); Path=\/api\/auth; HttpOnly; SameSite=Strict$/;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookieOf = ({ headers }: Answer) => {
	const [, value, maxAge] = COOKIE.exec(headers.get("set-cookie") ?? "") ?? [];
	assert.ok(value !== undefined, `Set-Cookie: ${headers.get("set-cookie")}`);
	return { value, maxAgeS: Number(maxAge) };
};

export const accountsStory = (plaza: () => System) =>
	describe("accounts", { concurrency: 4 }, () => {
		const http = () => httpClient(plaza().url);
		/** The last gateway, if there are several: state changed at one gateway must apply to all. */
		const otherGateway = () => httpClient(plaza().urls.at(-1) as string);
		const person = () => ({ email: `${fresh("Ann")}@Example.org`, password: PASSWORD, name: "Ann" });
		const register = async () => {
			const input = person();
			const { status, json, text } = await http().post("/api/auth/register", input);
			assert.equal(status, 201, text);
			return { ...json, email: input.email };
		};

		it("are created by registration, and `me` returns the user on every gateway", async () => {
			const input = person();
			const { status, json } = await http().post("/api/auth/register", input);
			assert.equal(status, 201);
			assert.deepEqual(Object.keys(json).sort(), ["expiresAt", "refreshToken", "token", "user"]);
			const { id, createdAt, ...user } = json.user;
			assert.match(id, /^acct_[0-9a-f]{32}$/);
			assert.match(createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
			assert.deepEqual(user, { email: input.email.toLowerCase(), name: "Ann", role: "user" });
			const me = await otherGateway().get("/api/auth/me", bearer(json.token));
			assert.deepEqual([me.status, me.json], [200, { user: json.user }]);
		});

		it("ignore the case of the address at sign-in, and give the same error for a wrong password and for an unknown address", async () => {
			const { email, user } = await register();
			const login = (address: string, password = PASSWORD) =>
				otherGateway().post("/api/auth/login", { email: address, password });
			for (const address of [email, email.toUpperCase()]) {
				const { status, json } = await login(address);
				assert.deepEqual([status, json.user], [200, user]);
			}
			const refused = [await login(email, "a wrong password"), await login(person().email)];
			for (const answer of refused) assertError(answer, 401, "UNAUTHORIZED");
			assert.equal(refused[0]?.text, refused[1]?.text);
		});

		it("are unique per address: a second registration gets 409, also when both are concurrent", async () => {
			const input = person();
			const again = { ...input, email: input.email.toUpperCase() };
			const answers = await Promise.all(
				[http(), otherGateway(), http()].map((one, n) => one.post("/api/auth/register", n ? again : input))
			);
			assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
			for (const answer of answers.filter(({ status }) => status === 409)) assertError(answer, 409, "CONFLICT");
		});

		it("cannot be created from invalid input: 422 lists each wrong field, and 400 answers invalid JSON", async () => {
			for (const [body, fields] of [
				[{}, ["email", "name", "password"]],
				[{ ...person(), email: "ann" }, ["email"]],
				[{ ...person(), email: "ann@exam\u0000ple.org" }, ["email"]],
				[{ ...person(), password: "short" }, ["password"]],
				[{ ...person(), password: "password123" }, ["password"]],
				[{ ...person(), password: "half a pair \ud800" }, ["password"]],
				[{ ...person(), name: "\u0000" }, ["name"]],
				[{ ...person(), role: "admin" }, ["role"]],
				[{ ...person(), id: newAccount() }, ["id"]]
			] as [object, string[]][]) {
				const answer = await http().post("/api/auth/register", body);
				assertError(answer, 422, "VALIDATION_ERROR", JSON.stringify(body));
				assert.deepEqual(answer.json.data.map(({ field }: { field: string }) => field).sort(), fields);
				assert.ok(!answer.text.includes(PASSWORD));
			}
			for (const path of ["register", "login", "refresh", "logout"])
				assertError(await http().post(`/api/auth/${path}`, "{"), 400);
		});

		it("get 401 without a token, and with a forged or truncated token", async () => {
			const { token, refreshToken, user } = await register();
			const [head, body] = token.split(".");
			const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${body}.`;
			const forged = await mint(user.id, FORGED);
			assertError(await http().get("/api/auth/me"), 401, "UNAUTHORIZED");
			for (const wrong of ["", "x", token.slice(0, -1), `${token}=`, `${head}.${body}.`, unsigned, forged, refreshToken])
				assertError(await http().get("/api/auth/me", bearer(wrong)), 401, "UNAUTHORIZED", wrong);
			for (const scheme of [`Basic ${token}`, token])
				assertError(await http().get("/api/auth/me", { authorization: scheme }), 401);
		});

		it("are refreshed by the token in the body: reuse of an outdated one revokes the whole token family on every gateway", async () => {
			const first = await register();
			const refresh = (one: ReturnType<typeof http>, refreshToken: string) => one.post("/api/auth/refresh", { refreshToken });
			const second = await refresh(otherGateway(), first.refreshToken);
			assert.deepEqual([second.status, second.json.user], [200, first.user]);
			assert.equal((await http().get("/api/auth/me", bearer(second.json.token))).status, 200);
			const third = await refresh(http(), second.json.refreshToken);
			assert.equal(third.status, 200, third.text);
			for (const { refreshToken } of [first, second.json, third.json])
				assertError(await refresh(otherGateway(), refreshToken), 401, "UNAUTHORIZED");
			for (const one of [http(), otherGateway()])
				for (const { token } of [first, second.json, third.json])
					await eventually(
						async () => assertError(await one.get("/api/auth/me", bearer(token)), 401, "UNAUTHORIZED"),
						"the tokens of the family to be revoked"
					);
		});

		it("are refreshed by the cookie, which scripts cannot read and other sites cannot send", async () => {
			const browser = { origin: plaza().url };
			const registered = await http().post("/api/auth/register", person(), browser);
			assert.equal(registered.json.refreshToken, undefined, "scripts could read the refresh token");
			const { value, maxAgeS } = cookieOf(registered);
			assert.equal(maxAgeS, 30 * 24 * 60 * 60);
			const refresh = (cookie: string) => http().send("POST", "/api/auth/refresh", { ...browser, cookie });
			const refreshed = await refresh(`other=1; plaza_refresh=${value}`);
			assert.deepEqual([refreshed.status, refreshed.json.refreshToken], [200, undefined]);
			const next = cookieOf(refreshed).value;
			assert.notEqual(next, value);
			assertError(await http().send("POST", "/api/auth/refresh", browser), 401, "UNAUTHORIZED");
			assertError(
				await http().send("POST", "/api/auth/refresh", { origin: "https://evil.example", cookie: `plaza_refresh=${next}` }),
				403
			);
			const out = await http().send("POST", "/api/auth/logout", { ...browser, cookie: `plaza_refresh=${next}` });
			assert.deepEqual([out.status, out.json, cookieOf(out)], [200, { ended: true }, { value: "", maxAgeS: 0 }]);
			assertError(await refresh(`plaza_refresh=${next}`), 401, "UNAUTHORIZED");
		});

		it("are signed out on every gateway by either token, and the user's other sessions stay valid", async () => {
			for (const by of ["token", "refreshToken"] as const) {
				const { email, token, refreshToken } = await register();
				const other = (await http().post("/api/auth/login", { email, password: PASSWORD })).json;
				const { status, json } =
					by === "token"
						? await http().send("POST", "/api/auth/logout", bearer(token))
						: await http().post("/api/auth/logout", { refreshToken });
				assert.deepEqual([status, json], [200, { ended: true }]);
				assertError(await http().post("/api/auth/refresh", { refreshToken }), 401, "UNAUTHORIZED");
				for (const one of [http(), otherGateway()])
					await eventually(
						async () => assertError(await one.get("/api/auth/me", bearer(token)), 401, "UNAUTHORIZED"),
						`sign-out by ${by} to end the session`
					);
				assert.equal((await otherGateway().get("/api/auth/me", bearer(other.token))).status, 200);
			}
			assertError(await http().post("/api/auth/logout", {}), 401, "UNAUTHORIZED");
		});

		it("can buy only under their own id, and nobody else can use that id", async () => {
			const [ann, tom] = [await register(), await register()];
			const guest = { user_id: fresh("guest"), amount: 1 };
			const own = { user_id: ann.user.id, amount: 49.99 };
			const buy = (headers: Record<string, string>, body: object = own) => otherGateway().post("/api/purchases", body, headers);
			const bought = await buy(bearer(ann.token));
			assert.deepEqual([bought.status, bought.json.user_id, bought.json.amount], [201, ann.user.id, 49.99]);
			assertError(await buy({}), 401, "UNAUTHORIZED");
			assertError(await buy(bearer(tom.token)), 403, "FORBIDDEN");
			assertError(await buy(bearer(await mint(ann.user.id, FORGED))), 401, "UNAUTHORIZED");
			// An invalid token is rejected even where guests may act.
			assertError(await buy(bearer("nonsense"), guest), 401, "UNAUTHORIZED");
			assert.equal((await buy({}, guest)).status, 201);

			const socket = await openSocket(plaza().wsUrl);
			for (const frame of [own, { code: "connect", data: { user: ann.user.id } }]) {
				const { code, data } = await socket.request(frame);
				assert.deepEqual([code, data.type], ["error", "UNAUTHORIZED"]);
			}
			socket.send({ code: "connect", data: { user: ann.user.id, token: ann.token } });
			await socket.waitFor(({ code }) => code === "connected", "connected with the account's token");
			socket.send({ ...own, amount: 0.01 });
			await socket.waitFor(({ code, data }) => code === "balance" && data.balances.total === 50, "the account's balance");
			socket.close();
			await eventually(
				async () =>
					assert.deepEqual((await http().get(`/api/wallet/${ann.user.id}`, bearer(ann.token))).json, { balances: { total: 50 } }),
				"the wallet to hold exactly this account's purchases"
			);
		});

		it("have ids that no guest can use: an id of this form without an account gets 401", async () => {
			const id = newAccount();
			assertError(await http().post("/api/purchases", { user_id: id, amount: 1 }), 401, "UNAUTHORIZED");
			assertError(await http().post("/api/selections/synchronization", { user_id: id }), 401, "UNAUTHORIZED");
			const pick = { name: plaza().selectionNames[0], id: fresh("pick"), user_id: id };
			assertError(await http().post("/api/selections/async", pick), 401, "UNAUTHORIZED");
		});
	});
