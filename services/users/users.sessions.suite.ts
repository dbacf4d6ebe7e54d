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

			it("ends its session at every node when used twice, and no other session", async () => {
				const [stolen, bystander] = [await nodes.registered(), await nodes.registered()];
				const elsewhere = await nodes.one.login(stolen.email);
				const next = await nodes.one.refresh(stolen.refreshToken);
				await nodes.other.identityOf(next.token);
				await assert.rejects(nodes.one.refresh(stolen.refreshToken), UNAUTHORIZED);
				for (const token of [stolen.token, next.token]) await assert.rejects(nodes.one.identityOf(token), UNAUTHORIZED);
				await eventually(
					() => Promise.all([stolen.token, next.token].map(token => assert.rejects(nodes.other.identityOf(token), UNAUTHORIZED))),
					"the other node to know"
				);
				await assert.rejects(nodes.other.refresh(next.refreshToken), UNAUTHORIZED);
				for (const { token } of [bystander, elsewhere]) await nodes.other.identityOf(token);
				await nodes.other.refresh(bystander.refreshToken);
			});

			it("succeeds once of twenty concurrent uses, and then the session is over", async () => {
				const { refreshToken } = await nodes.registered();
				const ends = await Promise.allSettled(
					Array.from({ length: 20 }, (_, n) => (n % 2 ? nodes.one : nodes.other).refresh(refreshToken))
				);
				const won = ends.filter(end => end.status === "fulfilled");
				assert.equal(won.length, 1);
				for (const end of ends) if (end.status === "rejected") assert.equal(end.reason.type, "UNAUTHORIZED");
				await assert.rejects(nodes.one.refresh(won[0]?.value.refreshToken), UNAUTHORIZED);
				await eventually(
					() =>
						Promise.all(
							[nodes.one, nodes.other].map(({ identityOf }) =>
								assert.rejects(identityOf(won[0]?.value.token as string), UNAUTHORIZED)
							)
						),
					"both nodes to know"
				);
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

		it("shares the secret that one node generated with all nodes", async () => {
			const [a, b] = await Promise.all([nodes.secret(), nodes.secret()]);
			assert.equal(a, b);
			assert.ok(Buffer.byteLength(a) >= 32);
		});

		it("rejects a token that is signed with another secret", async () => {
			const identity = { id: (await nodes.registered()).user.id, role: "user", session: "s" } as const;
			const { token } = await tokens("another secret that is long enough").signAccess(identity);
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
