// The promises of registration and sign-in, on a given Postgres with two nodes.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isAccountID } from "../../contract/id.ts";
import { logNameOf } from "../../runtime/http/client-address.ts";
import type { Scratch } from "../../test/scratch.ts";
import { signInLimits } from "./users.limits.ts";
import { freshEmail, type Nodes, openNodes, PASSWORD, UNAUTHORIZED } from "./users.nodes.fixture.ts";

const CONFLICT = { code: 409, type: "CONFLICT" };

export const accountsSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`accounts on ${where}`, () => {
		let nodes: Nodes;
		before(async () => {
			nodes = await openNodes(await open());
		});
		after(() => nodes?.stop());

		describe("registering", () => {
			it("creates an account with an account id, and signs in", async () => {
				const email = freshEmail();
				const { user, token, expiresAt } = await nodes.one.register(email, "  Ann ");
				assert.ok(isAccountID(user.id));
				assert.deepEqual(
					{ ...user, id: "", createdAt: "" },
					{
						id: "",
						email: email.toLowerCase(),
						name: "Ann",
						role: "user",
						createdAt: ""
					}
				);
				const { id, role, expiresAtMs } = await nodes.other.identityOf(token);
				assert.deepEqual([id, role, new Date(expiresAtMs).toISOString()], [user.id, "user", expiresAt]);
			});

			it("stores only an argon2id hash of the password, with a new salt each time", async () => {
				const [a, b] = [await nodes.registered(), await nodes.registered()];
				const rows = await nodes.knex("users").whereIn("id", [a.user.id, b.user.id]);
				for (const row of rows) {
					assert.match(row.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
					assert.ok(!JSON.stringify(row).includes(PASSWORD));
				}
				assert.notEqual(rows[0].password_hash, rows[1].password_hash);
			});

			it("creates one account when many register one address concurrently, in any case", async () => {
				const email = freshEmail();
				const cases = [email, email.toUpperCase(), email.toLowerCase(), ` ${email} `];
				const races = cases.flatMap(text => [nodes.one, nodes.other].map(({ register }) => register(text)));
				const ends = await Promise.allSettled(races);
				const lost = ends.filter(end => end.status === "rejected");
				assert.equal(lost.length, races.length - 1);
				for (const { reason } of lost)
					assert.deepEqual([reason.code, reason.type, reason.data], [409, "CONFLICT", { field: "email" }]);
				assert.equal(Number((await nodes.knex("users").where({ email: email.toLowerCase() }).count())[0]?.count), 1);
				await assert.rejects(nodes.one.register(email), CONFLICT);
			});

			for (const [field, wrong] of [
				["email", "ann@example"],
				["email", "ann@\u0000.org"],
				["password", "short"],
				["password", "password123"],
				["name", "A\u0000nn"],
				["name", "\ud800"]
			] as const)
				it(`names the invalid field without repeating its value: ${field} ${JSON.stringify(wrong)}`, async () => {
					const account = { email: freshEmail(), password: PASSWORD, name: "Ann", [field]: wrong };
					await assert.rejects(
						nodes.one.call("users.register", account),
						(error: Error & { type: string; data: { field: string }[] }) => {
							assert.deepEqual([error.type, error.data.map(fault => fault.field)], ["VALIDATION_ERROR", [field]]);
							assert.ok(field !== "password" || !JSON.stringify([error.message, error.data]).includes(wrong));
							return true;
						}
					);
				});
		});

		describe("signing in", () => {
			it("accepts the address in any case, and only the exact password", async () => {
				const { email, user } = await nodes.registered();
				for (const text of [email, email.toUpperCase(), ` ${email}`])
					assert.equal((await nodes.other.login(text)).user.id, user.id);
				for (const password of [PASSWORD.toUpperCase(), ` ${PASSWORD}`, `${PASSWORD} `, `${PASSWORD}\u0000`, "", "\ud800"])
					await assert.rejects(nodes.one.login(email, password), UNAUTHORIZED);
			});

			it("is rejected with the same message for a wrong address and a wrong password", async () => {
				const { email } = await nodes.registered();
				const errorOf = async (text: string) => {
					const error: Error = await nodes.one.login(text, "a wrong password").then(
						() => assert.fail("signed in"),
						error => error
					);
					return { ...error, message: error.message, stack: "" };
				};
				const known = await errorOf(email);
				assert.ok("type" in known && known.type === "UNAUTHORIZED");
				for (const text of [freshEmail(), "no address", "", "a\u0000b@example.org", "\udc00@example.org"])
					assert.deepEqual(await errorOf(text), known, text);
			});

			it("hashes the password whether or not there is an account, so that both take as long", async () => {
				const { email } = await nodes.registered();
				const takes = async (text: string) => {
					const startedAtMs = performance.now();
					await assert.rejects(nodes.one.login(text, "a wrong password"), UNAUTHORIZED);
					return performance.now() - startedAtMs;
				};
				const [known, unknown]: [number[], number[]] = [[], []];
				for (let n = 0; n < 10; n++) {
					known.push(await takes(email));
					unknown.push(await takes(freshEmail()));
				}
				// The minimum of each, because other processes only add time. Without the hash it would be a twentieth.
				const [a, b] = [Math.min(...known), Math.min(...unknown)];
				assert.ok(a < 3 * b && b < 3 * a, `${a} ms known, ${b} ms unknown`);
			});

			it("opens a new session each time", async () => {
				const { email, token } = await nodes.registered();
				const again = await nodes.one.login(email);
				assert.notEqual((await nodes.one.identityOf(token)).session, (await nodes.one.identityOf(again.token)).session);
			});

			it("is rejected with the time to wait after twenty failures, also with the right password, but not from another address", async () => {
				const { email } = await nodes.registered();
				const stranger = { address: "6.6.6.6" };
				const ends = await Promise.allSettled(
					Array.from({ length: 40 }, (_, n) => (n % 2 ? nodes.one : nodes.other).login(email, "a wrong password", stranger))
				);
				const types = ends.map(end => (end.status === "rejected" ? end.reason.type : "signed in"));
				assert.equal(types.filter(type => type === "UNAUTHORIZED").length, 20);
				assert.equal(types.filter(type => type === "TOO_MANY_REQUESTS").length, 20);
				await assert.rejects(
					nodes.other.login(email, PASSWORD, stranger),
					({ code, data }: { code: number; data: { retryAfterMs: number } }) => code === 429 && data.retryAfterMs > 1_000
				);
				assert.ok((await nodes.one.login(email)).token);
			});

			it("is rejected with the time to wait when too many are in flight from one address, while another address signs in", async () => {
				const { email } = await nodes.registered();
				const flood = Promise.allSettled(
					Array.from({ length: 300 }, () => nodes.one.login(freshEmail(), "a wrong password", { address: "6.6.6.7" }))
				);
				assert.ok((await nodes.one.login(email, PASSWORD, { address: "9.9.9.8" })).token);
				const types = (await flood).map(end => (end.status === "rejected" ? end.reason.type : "signed in"));
				// One runs, and sixteen wait; on a slow machine the last ones wait until their time is up.
				assert.equal(types.filter(type => type === "UNAUTHORIZED" || type === "UNAVAILABLE").length, 17);
				assert.ok(types.includes("UNAUTHORIZED"));
				assert.equal(types.filter(type => type === "TOO_MANY_REQUESTS").length, 283);
			});

			it("is queued by the /64 network of an IPv6 address, so that the other networks of its /48 do not wait", async () => {
				const ends = await Promise.allSettled(
					Array.from({ length: 30 }, (_, n) =>
						nodes.one.login(freshEmail(), "a wrong password", { address: `2001:db8:1:${n.toString(16)}::/64` })
					)
				);
				const types = ends.map(end => (end.status === "rejected" ? end.reason.type : "signed in"));
				assert.deepEqual(types, Array(30).fill("UNAUTHORIZED"));
			});

			it("that fails, and one that is locked, are logged without personal data: the first at once, then their number", async () => {
				const { email, user } = await nodes.registered();
				const from = nodes.lines.length;
				const stranger = { address: "6.6.6.8" };
				for (let n = 0; n < 22; n++) await assert.rejects(nodes.one.login(email, "a wrong password", stranger));
				const lines = nodes.lines.slice(from).filter(line => line.includes(logNameOf(stranger.address)));
				assert.match(lines[0] ?? "", /^sign-in failed /);
				assert.ok(
					lines.some(line => line.startsWith("sign-in locked: too many failures") && line.includes(user.id)),
					lines.join("\n")
				);
				// A minute may end in between: then their number is among the lines.
				assert.ok(lines.length < 10, lines.join("\n"));
				assert.ok(!/6\.6\.6\.8|@|a wrong password/.test(lines.join("\n")), lines.join("\n"));
			});

			it("stays possible for the owner from an earlier address, whatever passwords are tried from other addresses", async () => {
				const { email } = await nodes.registered();
				const { takeSignIn: signIn } = signInLimits(nodes.limits);
				for (let n = 0; n < 200; n++)
					await signIn({ address: `10.0.${n}.1`, email: email.toLowerCase(), lastSession: undefined });
				await assert.rejects(nodes.one.login(email, PASSWORD, { address: "9.9.9.9" }), { type: "TOO_MANY_REQUESTS" });
				assert.ok((await nodes.one.login(email)).token);
			});

			it("is never limited by successful sign-ins", async () => {
				const { email } = await nodes.registered();
				for (let n = 0; n < 25; n++) await nodes.one.login(email);
			});
		});

		describe("the operator", () => {
			it("creates an account of any role, named after its address by default", async () => {
				const email = freshEmail();
				const { user } = await nodes.one.call("users.create", { email, password: PASSWORD, role: "admin" });
				assert.deepEqual([user.role, user.name], ["admin", email.split("@")[0]]);
				const { token } = await nodes.other.login(email);
				assert.equal((await nodes.other.identityOf(token)).role, "admin");
				const [line] = nodes.lines.filter(one => one.includes(user.id));
				assert.match(line ?? "", /^the operator created an account .*role: 'admin'/);
			});

			it("finds an account by its address in any case", async () => {
				const { email, user } = await nodes.registered();
				assert.deepEqual((await nodes.other.call("users.find", { email: email.toUpperCase() })).user, user);
				await assert.rejects(nodes.one.call("users.find", { email: "nobody@example.org" }), { code: 404, type: "NOT_FOUND" });
			});

			it("does not change an existing account", async () => {
				const { email } = await nodes.registered();
				const again = { email, password: "another long password", role: "admin" } as const;
				await assert.rejects(nodes.one.call("users.create", again), CONFLICT);
				assert.equal((await nodes.one.login(email)).user.role, "user");
			});

			it("must follow the rules for passwords too", async () => {
				const weak = { email: freshEmail(), password: "password123", role: "admin" } as const;
				await assert.rejects(nodes.one.call("users.create", weak), { type: "VALIDATION_ERROR" });
			});
		});
	});
