// The promises of sessions and tokens, on a given Postgres with two nodes.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import type { Scratch } from "../../test/scratch.ts";
import type { SignedIn } from "./users.contract.ts";
import { forgedTokens } from "./users.forged.fixture.ts";
import { freshEmail, type Nodes, openNodes, UNAUTHORIZED } from "./users.nodes.fixture.ts";
import { tokens } from "./users.tokens.ts";

export const sessionsSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`sessions on ${where}`, () => {
		let nodes: Nodes;
		before(async () => {
			nodes = await openNodes(await open());
		});
		after(() => nodes?.stop());

		const startMs = Date.now();
		/** Runs `act` while the clock of the rotations stands still at this time. */
		const atTime = async <T>(ms: number, act: () => Promise<T>): Promise<T> => {
			const before = nodes.clock.nowMs;
			nodes.clock.nowMs = startMs + ms;
			try {
				return await act();
			} finally {
				nodes.clock.nowMs = before;
			}
		};

		describe("a refresh token", () => {
			it("is exchanged for the next pair at any node, repeatedly", async () => {
				const { user, ...first } = await nodes.registered();
				let { refreshToken } = first;
				for (let n = 0; n < 3; n++) {
					const next = await (n % 2 ? nodes.one : nodes.other).refresh(refreshToken);
					assert.equal(next.user.id, user.id);
					assert.equal((await nodes.one.identityOf(next.token)).id, user.id);
					assert.notEqual(next.refreshToken, refreshToken);
					refreshToken = next.refreshToken as string;
				}
			});

			it("gets the same answer when it is used again within 10 s of its replacement, at any node", async () => {
				const { refreshToken, user } = await nodes.registered();
				await atTime(0, async () => {
					const successor = await nodes.one.refresh(refreshToken);
					for (const [node, afterMs] of [
						[nodes.one, 0],
						[nodes.other, 0],
						[nodes.other, 9_000],
						[nodes.one, 10_000]
					] as const)
						await atTime(afterMs, async () => assert.deepEqual(await node.refresh(refreshToken), successor));
					assert.equal((await nodes.other.identityOf(successor.token)).id, user.id);
					const next = await nodes.other.refresh(successor.refreshToken);
					assert.notEqual(next.refreshToken, successor.refreshToken);
				});
			});

			it("gets the same answer in all of twenty concurrent uses at two nodes", async () => {
				const { refreshToken } = await nodes.registered();
				await atTime(0, async () => {
					const uses = Array.from({ length: 20 }, (_, n) => (n % 2 ? nodes.one : nodes.other).refresh(refreshToken));
					const [first, ...others] = await Promise.all(uses);
					for (const other of others) assert.deepEqual(other, first);
					await nodes.one.refresh(first!.refreshToken);
				});
			});

			it("ends its session at every node, and no other session, when it is used again later than that", async () => {
				const [stolen, bystander] = [await nodes.registered(), await nodes.registered()];
				const elsewhere = await nodes.one.login(stolen.email);
				const next = await atTime(0, () => nodes.one.refresh(stolen.refreshToken));
				await nodes.other.identityOf(next.token);
				await atTime(11_000, () => assert.rejects(nodes.one.refresh(stolen.refreshToken), UNAUTHORIZED));
				for (const token of [stolen.token, next.token]) await assert.rejects(nodes.one.identityOf(token), UNAUTHORIZED);
				await eventually(
					() => Promise.all([stolen.token, next.token].map(token => assert.rejects(nodes.other.identityOf(token), UNAUTHORIZED))),
					"the other node to know"
				);
				await assert.rejects(nodes.other.refresh(next.refreshToken), UNAUTHORIZED);
				for (const { token } of [bystander, elsewhere]) await nodes.other.identityOf(token);
				await nodes.other.refresh(bystander.refreshToken);
			});

			it("ends its session when it is older than the one before the newest, at any time, and only then", async () => {
				const { refreshToken: first } = await nodes.registered();
				await atTime(0, async () => {
					const { refreshToken: second } = await nodes.one.refresh(first);
					const third = await nodes.one.refresh(second);
					assert.deepEqual(await nodes.other.refresh(second), third);
					await assert.rejects(nodes.other.refresh(first), UNAUTHORIZED);
					for (const token of [second, third.refreshToken]) await assert.rejects(nodes.one.refresh(token), UNAUTHORIZED);
				});
			});

			it("gets no answer again after its session was ended", async () => {
				const { refreshToken } = await nodes.registered();
				await atTime(0, async () => {
					const { refreshToken: next } = await nodes.one.refresh(refreshToken);
					await nodes.one.logout(next);
					await assert.rejects(nodes.one.refresh(refreshToken), UNAUTHORIZED);
				});
			});

			it("is refused with the time to wait when it is used too often, and its session goes on", async () => {
				const { token, refreshToken } = await nodes.registered();
				await atTime(0, async () => {
					const uses = Array.from({ length: 100 }, () => nodes.one.refresh(refreshToken));
					const ends = await Promise.allSettled(uses);
					const refused = ends.flatMap(end => (end.status === "rejected" ? end.reason.type : []));
					assert.ok(refused.length > 0 && refused.every(type => type === "TOO_MANY_REQUESTS"), refused.join());
				});
				await nodes.other.identityOf(token);
			});

			it("is invalid after its session has expired, and ends no other session", async () => {
				const { refreshToken, token } = await nodes.registered();
				const { session } = await nodes.one.identityOf(token);
				await nodes
					.knex("sessions")
					.where({ id: session })
					.update({ expires_at: nodes.knex.raw("now() - interval '1 ms'") });
				await assert.rejects(nodes.one.refresh(refreshToken), UNAUTHORIZED);
			});

			it("must be given and valid", async () => {
				for (const token of [undefined, "", "x", (await nodes.registered()).token])
					await assert.rejects(nodes.one.refresh(token), UNAUTHORIZED);
			});
		});

		describe("signing out", () => {
			it("with the refresh token ends that session at every node, and no other of the same user", async () => {
				const { email, token, refreshToken } = await nodes.registered();
				const elsewhere = await nodes.one.login(email);
				assert.deepEqual(await nodes.one.logout(refreshToken), { ended: true });
				await assert.rejects(nodes.one.identityOf(token), UNAUTHORIZED);
				await eventually(() => assert.rejects(nodes.other.identityOf(token), UNAUTHORIZED), "the other node to know");
				await assert.rejects(nodes.one.refresh(refreshToken), UNAUTHORIZED);
				await nodes.other.identityOf(elsewhere.token);
				assert.deepEqual(await nodes.one.logout(refreshToken), { ended: false });
			});

			it("with only the access token, or with an invalid refresh token, ends the caller's session", async () => {
				for (const refreshToken of [undefined, "nonsense"]) {
					const { token } = await nodes.registered();
					const caller = await nodes.one.identityOf(token);
					assert.deepEqual(await nodes.one.logout(refreshToken, { caller }), { ended: true });
					await assert.rejects(nodes.one.identityOf(token), UNAUTHORIZED);
				}
			});

			it("is rejected without either token", async () => {
				for (const token of [undefined, "nonsense", (await nodes.registered()).token])
					await assert.rejects(nodes.one.logout(token), UNAUTHORIZED);
			});

			it("makes users.revoked return the session", async () => {
				const [gone, stays] = [await nodes.registered(), await nodes.registered()];
				const sessions = await Promise.all([gone, stays].map(async ({ token }) => (await nodes.one.identityOf(token)).session));
				await nodes.one.logout(gone.refreshToken);
				assert.deepEqual(await nodes.one.call("users.revoked", { sessions }), [sessions[0]]);
				await eventually(
					async () => assert.deepEqual(await nodes.other.call("users.revoked", { sessions }), [sessions[0]]),
					"the other node to know"
				);
			});
		});

		describe("a token", () => {
			it("returns its account", async () => {
				const { user, token } = await nodes.registered();
				const caller = await nodes.other.identityOf(token);
				assert.deepEqual(await nodes.other.call("users.me", {}, { meta: { caller } }), { user });
				await assert.rejects(nodes.one.call("users.me", {}), UNAUTHORIZED);
			});

			it("of a deleted account is rejected", async () => {
				const { user, token, refreshToken } = await nodes.registered();
				const caller = await nodes.one.identityOf(token);
				await nodes.knex("users").where({ id: user.id }).delete();
				await assert.rejects(nodes.one.call("users.me", {}, { meta: { caller } }), UNAUTHORIZED);
				await assert.rejects(nodes.one.refresh(refreshToken), UNAUTHORIZED);
			});

			it("is rejected when forged", async () => {
				const { token, refreshToken, user } = await nodes.registered();
				const secret = await nodes.secret();
				for (const [wrong, forged] of Object.entries(forgedTokens({ token, refreshToken, secret, account: user.id })))
					await assert.rejects(nodes.one.identityOf(forged), UNAUTHORIZED, wrong);
				await nodes.one.identityOf(token);
			});

			it("is accepted while the store is unavailable, unless its session was revoked before", async () => {
				const [stays, gone] = [await nodes.registered(), await nodes.registered()];
				await nodes.one.logout(gone.refreshToken);
				await eventually(() => assert.rejects(nodes.other.identityOf(gone.token), UNAUTHORIZED), "the other node to know");
				await nodes.whileStoreUnavailable(async () => {
					await nodes.one.identityOf(stays.token);
					await assert.rejects(nodes.other.identityOf(gone.token), UNAUTHORIZED);
					const unavailable = { code: 503, type: "UNAVAILABLE" };
					await assert.rejects(nodes.one.login(stays.email), unavailable);
					await assert.rejects(nodes.one.register(freshEmail()), unavailable);
					await assert.rejects(nodes.one.refresh(stays.refreshToken), unavailable);
					await assert.rejects(nodes.one.logout(stays.refreshToken), unavailable);
				});
				await nodes.one.refresh(stays.refreshToken);
			});
		});

		it("ends the session that was not used for the longest time, at every node, when an account has more than 50", async () => {
			const { email, user, refreshToken } = await nodes.registered();
			const unused = await nodes.one.login(email);
			for (let n = 2; n < 50; n++)
				await nodes.store.openSession({ id: `${user.id}-${n}`, userID: user.id, address: "1.1.1.1", expiresInMs: 60_000 }, 1_000);
			const used = await nodes.other.refresh(refreshToken);
			const newest = await nodes.one.login(email);
			for (const node of [nodes.one, nodes.other])
				await eventually(() => assert.rejects(node.identityOf(unused.token), UNAUTHORIZED), "the revocation to be known");
			await assert.rejects(nodes.other.refresh(unused.refreshToken), UNAUTHORIZED);
			for (const { token } of [used, newest]) assert.equal((await nodes.other.identityOf(token)).id, user.id);
			const active = nodes.knex("sessions").where({ user_id: user.id, revoked_at: null }).count();
			assert.equal(Number((await active)[0]?.count), 50);
		});

		it("logs sign-ins, sign-outs and the reuse of a token with the user's id and nothing personal", async () => {
			const { email, user, ...first } = await nodes.registered();
			await nodes.one.login(email);
			await nodes.one.logout((await nodes.other.login(email)).refreshToken);
			const next = await atTime(0, () => nodes.one.refresh(first.refreshToken));
			await atTime(11_000, () => assert.rejects(nodes.other.refresh(first.refreshToken), UNAUTHORIZED));
			await assert.rejects(nodes.other.refresh(next.refreshToken), UNAUTHORIZED);
			const lines = nodes.lines.filter(line => line.includes(user.id));
			assert.deepEqual(
				lines.map(line => line.replace(/ \{.*/, "")),
				["registered", "signed in", "signed in", "signed out", "an outdated refresh token was used: its session is revoked"]
			);
			const printed = nodes.lines.join("\n").toLowerCase();
			for (const secret of [email, first.token, first.refreshToken, next.refreshToken as string])
				assert.ok(!printed.includes(secret.toLowerCase()), secret);
		});

		it("shares the secret that one node generated with all nodes", async () => {
			const [a, b] = await Promise.all([nodes.secret(), nodes.secret()]);
			assert.equal(a, b);
			assert.ok(Buffer.byteLength(a) >= 32);
		});

		it("rejects a token that is signed with another secret", async () => {
			const identity = { id: (await nodes.registered()).user.id, role: "user", session: "s" } as const;
			const { token } = await tokens("another secret that is long enough").signAccess(identity, Date.now());
			await assert.rejects(nodes.one.identityOf(token), UNAUTHORIZED);
		});

		it("deletes expired sessions in batches, and keeps the others", async () => {
			const [ended, alsoEnded, lives] = await Promise.all([nodes.registered(), nodes.registered(), nodes.registered()]);
			const sessionOf = async ({ token }: SignedIn) => (await nodes.one.identityOf(token)).session;
			const ids = await Promise.all([ended, alsoEnded].map(sessionOf));
			const { knex } = nodes;
			await nodes.store.deleteExpired(1_000);
			await knex("sessions")
				.whereIn("id", ids)
				.update({ expires_at: knex.raw("now() - interval '1 ms'") });
			assert.deepEqual(
				[await nodes.store.deleteExpired(1), await nodes.store.deleteExpired(10), await nodes.store.deleteExpired(10)],
				[1, 1, 0]
			);
			assert.equal((await knex("sessions").whereIn("id", ids)).length, 0);
			await nodes.one.refresh(lives.refreshToken);
		});
	});
