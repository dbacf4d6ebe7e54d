// Every combination of origin, token and endpoint: which handshakes are accepted, and as which user.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSocket } from "./client.socket.ts";
import { openSocketIo } from "./client.socket-io.ts";
import { fresh } from "./client.ts";
import { signingOutStory } from "./signing-out.story.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET, mint, newAccount } from "./tokens.ts";

const FRIEND = "https://friend.example";

/** The Origin header, and whether it is allowed. */
const ORIGINS: [what: string, origin: (url: string) => string | undefined, isAllowed: boolean][] = [
	["no origin", () => undefined, true],
	["its own origin", url => url, true],
	["a listed origin", () => FRIEND, true],
	["a foreign origin", () => "https://evil.example", false],
	["the origin null", () => "null", false],
	["an origin that begins like a listed one", () => `${FRIEND}.evil.example`, false]
];

/** The token of the handshake, and whether it is valid. */
const TOKENS: [what: string, token: (account: string) => Promise<string | undefined>, isGood: boolean | undefined][] = [
	["no token", async () => undefined, undefined],
	["a good token", account => mint(account), true],
	["an expired token", account => mint(account, { endsInMs: -60_000 }), false],
	["a token with a foreign signature", account => mint(account, { secret: "s".repeat(64) }), false],
	["a token whose signature was cut off", async account => (await mint(account)).replace(/\.[^.]*$/, "."), false],
	["a text that is not a token", async () => "letmein", false]
];

type Outcome = "accepted with an account" | "accepted without an account" | "UNAUTHORIZED" | "refused";

const expected = (isAllowed: boolean, isGood: boolean | undefined, mayBeGuest: boolean): Outcome => {
	if (!isAllowed) return "refused";
	if (isGood) return "accepted with an account";
	return isGood === undefined && mayBeGuest ? "accepted without an account" : "UNAUTHORIZED";
};

/** Opens a WebSocket with the token in its upgrade. A connect as the account without a token of its own shows whether the upgrade's token was accepted. */
async function byWebSocket(
	system: System,
	origin: string | undefined,
	token: string | undefined,
	account: string
): Promise<Outcome> {
	try {
		const socket = await openSocket(system.wsUrl, { origin, token });
		const { code, data } = await socket.request({ code: "connect", data: { user: account } });
		socket.close();
		if (code === "connected") return "accepted with an account";
		assert.deepEqual([code, data.type], ["error", "UNAUTHORIZED"]);
		return "accepted without an account";
	} catch (error) {
		const { status, json } = error as { status?: number; json?: { name: string; type: string; code: number } };
		if (status === undefined || !json) throw error;
		assert.equal(json.code, status);
		if (status === 401) return json.type as Outcome;
		assert.deepEqual([status, json.type], [403, "ORIGIN_NOT_ALLOWED"]);
		return "refused";
	}
}

const bySocketIo =
	(transport: "polling" | "websocket") =>
	async (system: System, origin: string | undefined, token: string | undefined): Promise<Outcome> => {
		const auth = token === undefined ? undefined : { token };
		const { socket, outcome, errorData } = await openSocketIo(system.url, { transports: [transport], origin, auth });
		socket.disconnect();
		if (outcome === "connected") return token === undefined ? "accepted without an account" : "accepted with an account";
		if (outcome !== "refused") assert.deepEqual(errorData, { type: outcome });
		return outcome as Outcome;
	};

const ENDPOINTS: [endpoint: string, attempt: typeof byWebSocket, guestsOnly: boolean][] = [
	// Any client may watch on /ws: authorization is checked when a frame acts for a user.
	["/ws", byWebSocket, false],
	["Socket.IO by polling", bySocketIo("polling"), true],
	["Socket.IO by WebSocket", bySocketIo("websocket"), true]
];

for (const guests of ["on", "off"]) {
	describe(`handshakes with GUESTS=${guests}`, () => {
		let system: System;
		before(async () => {
			system = await startSystem({ profile: "embedded", env: { GUESTS: guests, JWT_SECRET, ALLOWED_ORIGINS: FRIEND } });
		});
		after(() => system?.stop());

		for (const [endpoint, attempt, guestsOnly] of ENDPOINTS)
			describe(endpoint, { concurrency: 8 }, () => {
				for (const [where, origin, isAllowed] of ORIGINS)
					for (const [what, token, isGood] of TOKENS) {
						const outcome = expected(isAllowed, isGood, guests === "on" || !guestsOnly);
						it(`gives "${outcome}" for ${what} from ${where}`, async () => {
							const account = newAccount();
							assert.equal(await attempt(system, origin(system.url), await token(account), account), outcome);
						});
					}
			});

		it(`${guests === "on" ? "accepts" : "refuses"} a guest's connect on /ws`, async () => {
			const socket = await openSocket(system.wsUrl);
			const user = fresh("guest");
			const { code, data } = await socket.request({ code: "connect", data: { user } });
			assert.deepEqual([code, data.type ?? data.user], guests === "on" ? ["connected", user] : ["error", "UNAUTHORIZED"]);
			socket.close();
		});

		if (guests === "on") signingOutStory(() => system);

		it("ignores tokens in the URL", async () => {
			const account = newAccount();
			const token = await mint(account);
			const socket = await openSocket(`${system.wsUrl}?token=${token}&access_token=${token}`);
			const { data } = await socket.request({ code: "connect", data: { user: account } });
			assert.equal(data.type, "UNAUTHORIZED");
			socket.close();
		});

		it("refuses a Socket.IO token that is not a string", async () => {
			for (const token of [{}, [], 1, true, "", { toString: "x" }]) {
				const { socket, outcome } = await openSocketIo(system.url, { transports: ["websocket"], auth: { token } });
				socket.disconnect();
				assert.equal(outcome, "UNAUTHORIZED", JSON.stringify(token));
			}
		});
	});
}
