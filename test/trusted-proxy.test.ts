// A system behind a trusted proxy: limits per client and per account, and the protocol that the client uses.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import { type System, startSystem } from "./system.ts";

const FRIEND = "https://friend.example";

describe("a system behind a proxy that it trusts", () => {
	let system: System;
	before(async () => {
		const env = {
			MAX_REQUESTS_PER_SECOND: "2",
			TRUSTED_PROXIES: "192.0.2.0/24,127.0.0.0/8",
			ALLOWED_ORIGINS: FRIEND,
			METRICS_PORT: "0"
		};
		system = await startSystem({ profile: "embedded", env });
	});
	after(() => system?.stop());

	const http = () => httpClient(system.url);
	/** A client address that was not used before. */
	let hosts = 0;
	const newAddress = () => `198.18.${++hosts >> 8}.${hosts & 255}`;
	const refused = (answers: { status: number }[]) => answers.filter(({ status }) => status === 429).length;
	const flood = (headers: () => Record<string, string>) =>
		Promise.all(Array.from({ length: 100 }, () => http().get("/api/auth/me", headers())));
	const register = (headers: Record<string, string>) =>
		http().post("/api/auth/register", { email: `${fresh()}@example.org`, password: fresh("password"), name: "Ann" }, headers);

	it("counts the requests of each client of the proxy separately, and ignores addresses that the client itself claims", async () => {
		const [loud, quiet] = [newAddress(), newAddress()];
		let n = 0;
		const answers = await flood(() => ({ "x-forwarded-for": `198.51.100.${++n}, ${loud}, 192.0.2.7`, origin: FRIEND }));
		assert.ok(refused(answers) > 50, `${refused(answers)} were refused`);
		// A page of an allowed origin can read Retry-After.
		for (const { headers } of answers) assert.equal(headers.get("access-control-allow-origin"), FRIEND);
		assert.notEqual((await http().get("/selections", { "x-forwarded-for": quiet })).status, 429);
		const [network, other] = ["2001:db8:1:2", "2001:db8:1:3"];
		assert.ok(refused(await flood(() => ({ "x-forwarded-for": `${network}::${(++n).toString(16)}` }))) > 50);
		assert.notEqual((await http().get("/selections", { "x-forwarded-for": `${other}::1` })).status, 429);
	});

	it("counts the requests of an account across all its addresses", async () => {
		const answer = await register({ "x-forwarded-for": newAddress() });
		assert.equal(answer.status, 201, answer.text);
		const as = (token: string) => () => ({ authorization: `Bearer ${token}`, "x-forwarded-for": newAddress() });
		const answers = await flood(as(answer.json.token));
		assert.ok(refused(answers) > 50, `${refused(answers)} were refused`);
		for (const one of answers.filter(({ status }) => status === 429)) assertError(one, 429, "TOO_MANY_REQUESTS");
		const other = await register({ "x-forwarded-for": newAddress() });
		assert.equal((await http().get("/api/auth/me", as(other.json.token)())).status, 200);
	});

	it("sends HSTS and Secure cookies to clients that use TLS, and neither to others", async () => {
		const by = (protocol: string) => ({ "x-forwarded-for": newAddress(), "x-forwarded-proto": protocol });
		const [secure, plain] = [await register(by("https")), await register(by("http"))];
		assert.match(secure.headers.get("set-cookie") ?? "", /; Secure/);
		assert.match(secure.headers.get("strict-transport-security") ?? "", /^max-age=\d{8}$/);
		assert.doesNotMatch(plain.headers.get("set-cookie") ?? "", /; Secure/);
		assert.equal(plain.headers.get("strict-transport-security"), null);
	});

	it("accepts the proxy's origin with the protocol that the client uses", async () => {
		const secure = system.url.replace("http:", "https:");
		const ask = (protocol: string, origin: string) =>
			http().get("/selections", { "x-forwarded-for": newAddress(), "x-forwarded-proto": protocol, origin });
		assert.equal((await ask("https", secure)).status, 200);
		assertError(await ask("http", secure), 403, "ORIGIN_NOT_ALLOWED");
		assertError(await ask("https", system.url), 403);
	});
});
