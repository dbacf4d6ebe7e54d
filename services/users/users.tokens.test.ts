import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { forgedTokens } from "./users.forged.fixture.ts";
import { tokens } from "./users.tokens.ts";

const UNAUTHORIZED = { code: 401, type: "UNAUTHORIZED" };
const secret = "a secret of thirty-two bytes or more";
const account = `acct_${"ab".repeat(16)}`;
const identity = { id: account, role: "user", session: "session" } as const;
const ours = tokens(secret);
const nowMs = Date.now();
const genuine = {
	token: (await ours.signAccess(identity, nowMs)).token,
	refreshToken: await ours.signRefresh({ session: "session", generation: 3 }, nowMs),
	secret,
	account
};
const forged = forgedTokens(genuine);

describe("an access token", () => {
	it("contains the identity, and expires in 15 minutes", async () => {
		const { token, expiresAtMs } = await ours.signAccess(identity, Date.now());
		assert.deepEqual(await ours.verifyAccess(token), { ...identity, expiresAtMs });
		const lifetimeMs = expiresAtMs - Date.now();
		assert.ok(lifetimeMs > 14 * 60_000 && lifetimeMs <= 15 * 60_000, `${lifetimeMs}`);
	});

	it("is valid at every node with the same secret", async () => {
		assert.equal((await tokens(secret).verifyAccess(genuine.token)).id, account);
	});

	it("is the same text whenever and wherever it is issued for the same time", async () => {
		const elsewhere = tokens(secret);
		assert.deepEqual(await elsewhere.signAccess(identity, nowMs), await ours.signAccess(identity, nowMs));
		const refresh = { session: "session", generation: 3 };
		assert.equal(await elsewhere.signRefresh(refresh, nowMs), genuine.refreshToken);
		assert.notEqual(await elsewhere.signRefresh({ ...refresh, generation: 4 }, nowMs), genuine.refreshToken);
	});

	it("is tested with at least thirty different forgeries", () => {
		assert.ok(new Set(Object.values(forged)).size >= 30);
		assert.equal(new Set(Object.values(forged)).size, Object.keys(forged).length);
	});

	for (const [wrong, token] of Object.entries(forged))
		it(`is rejected with the same error when forged: ${wrong}`, () =>
			assert.rejects(ours.verifyAccess(token), { ...UNAUTHORIZED, message: "This token is not valid" }));

	it("is rejected when any character is changed", async () => {
		const { token } = genuine;
		const changed = fc.record({ at: fc.nat(token.length - 1), by: fc.string({ unit: "grapheme", minLength: 0, maxLength: 2 }) });
		await fc.assert(
			fc.asyncProperty(changed, async ({ at, by }) => {
				const other = token.slice(0, at) + by + token.slice(at + 1);
				if (other !== token) await assert.rejects(ours.verifyAccess(other), UNAUTHORIZED);
			}),
			{ numRuns: 2_000, seed: 1 }
		);
	});

	it("is rejected before any part is decoded when it has more than three", async t => {
		const decode = t.mock.method(Buffer, "from");
		await assert.rejects(ours.verifyAccess(".".repeat(15_000)), UNAUTHORIZED);
		await assert.rejects(ours.verifyAccess(`${genuine.token}.`), UNAUTHORIZED);
		assert.equal(decode.mock.callCount(), 0);
	});

	it("is rejected with 401, not 500, whatever text it is", async () => {
		const part = fc.oneof(
			fc.base64String(),
			fc.string({ unit: "binary" }),
			fc.json().map(json => Buffer.from(json).toString("base64url"))
		);
		const anything = fc.oneof(
			fc.string({ unit: "binary" }),
			fc.array(part, { maxLength: 6 }).map(parts => parts.join("."))
		);
		await fc.assert(
			fc.asyncProperty(anything, token => assert.rejects(ours.verifyAccess(token), UNAUTHORIZED)),
			{ numRuns: 2_000, seed: 1 }
		);
	});
});

describe("a refresh token", () => {
	it("contains its session and generation", async () => {
		assert.deepEqual(await ours.verifyRefresh(genuine.refreshToken), { session: "session", generation: 3 });
	});

	it("is not accepted as an access token, nor the reverse", async () => {
		await assert.rejects(ours.verifyAccess(genuine.refreshToken), UNAUTHORIZED);
		await assert.rejects(ours.verifyRefresh(genuine.token), UNAUTHORIZED);
	});

	it("is rejected when forged in any of the ways for access tokens", async () => {
		const { token: access, refreshToken: token } = genuine;
		const wrong = Object.entries(forgedTokens({ ...genuine, token, refreshToken: access })).filter(
			// Skip those that do not apply: tokens of the other kind, and claims that only access tokens have.
			([what]) => !/typ of a refresh|audience of refresh|no subject|guest's|capitals|no role|role that|two roles/.test(what)
		);
		assert.ok(wrong.length > 30);
		for (const [what, text] of wrong) await assert.rejects(ours.verifyRefresh(text), UNAUTHORIZED, what);
	});

	for (const generation of [-1, 0.5, 2 ** 31])
		it(`is rejected when the store could not hold its generation: ${generation}`, async () => {
			await assert.rejects(ours.verifyRefresh(await ours.signRefresh({ session: "s", generation }, nowMs)), UNAUTHORIZED);
		});
});
