// Sockets whose token ends: by expiry, by sign-out, or because a refresh token was reused.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocket, openSocketAs, type Socket } from "./client.socket.ts";
import { openSocketIo, type SocketIoClient } from "./client.socket-io.ts";
import { expectStatus, fresh, httpClient } from "./client.ts";
import { within } from "./process.ts";
import type { System } from "./system.ts";
import { mint, newAccount } from "./tokens.ts";

const SIGNED_OUT = 4401;
/** The promised 5 s, plus a margin for a busy machine. */
const CLOSED_WITHIN_MS = 10_000;
const PASSWORD = "correct horse battery";

interface SignedIn {
	user: { id: string };
	token: string;
	refreshToken: string;
}

const isWorking = async (socket: Socket) => {
	const from = socket.frames.length;
	socket.send({ code: "watch", data: { selections: true } });
	await socket.waitFor(({ code }) => code === "Selections", "a list", { from });
};

const isClosed = async (socket: Socket, reason: string) => {
	assert.equal(await socket.closed(CLOSED_WITHIN_MS), SIGNED_OUT);
	assert.equal(socket.reason, reason);
};

/** Resolves at the next event of this kind of a Socket.IO client, with its reason. */
const next = ({ socket }: SocketIoClient, event: "connect" | "connect_error" | "disconnect") =>
	new Promise<string>(resolve =>
		socket.once(event as "disconnect", value => resolve((value as unknown as Error)?.message ?? value))
	);

const lost = (client: SocketIoClient) =>
	within(next(client, "disconnect"), CLOSED_WITHIN_MS, () => "the Socket.IO connection to be closed");

/** The system must have been started with JWT_SECRET of test/tokens.ts. */
export const signingOutStory = (plaza: () => System) =>
	describe("sockets of a user who signs out", { concurrency: 4 }, () => {
		const register = async (): Promise<SignedIn & { email: string }> => {
			const email = `${fresh("ann")}@example.org`;
			const { status, json, text } = await httpClient(plaza().url).post("/api/auth/register", {
				email,
				password: PASSWORD,
				name: "Ann"
			});
			assert.equal(status, 201, text);
			return { ...json, email };
		};
		const signIn = async (email: string): Promise<SignedIn> => {
			const { status, json, text } = await httpClient(plaza().url).post("/api/auth/login", { email, password: PASSWORD });
			assert.equal(status, 200, text);
			return json;
		};
		/** Opens a socket of every kind on every gateway. */
		const openOnAllGateways = async ({ user, token }: SignedIn) => {
			const byConnect = await Promise.all(plaza().wsUrls.map(url => openSocketAs(url, user.id, token)));
			const byHandshake = await Promise.all(plaza().wsUrls.map(url => openSocket(url, { token })));
			const io = await Promise.all(
				plaza().urls.flatMap(url =>
					(["polling", "websocket"] as const).map(transport => openSocketIo(url, { transports: [transport], auth: { token } }))
				)
			);
			for (const { outcome } of io) assert.equal(outcome, "connected");
			return { sockets: [...byConnect, ...byHandshake], io };
		};
		/** Sends to the last gateway: all gateways must apply what it did. */
		const post = (path: string, body: object) => httpClient(plaza().urls.at(-1) as string).post(path, body);

		const endsAll = (how: string, end: (signedIn: SignedIn) => Promise<void>) =>
			it(`are closed with 4401 within 5 s, on every node, when ${how}, while those of the user's other sessions stay open`, async () => {
				const one = await register();
				const other = await signIn(one.email);
				const [mine, others] = [await openOnAllGateways(one), await openOnAllGateways(other)];
				const losses = mine.io.map(lost);
				await end(one);
				await Promise.all([
					...mine.sockets.map(socket => isClosed(socket, "the session was revoked")),
					...losses.map(async loss => assert.equal(await loss, "transport close"))
				]);
				await assert.rejects(openSocket(plaza().wsUrl, { token: one.token }), { status: 401 });
				for (const socket of others.sockets) await isWorking(socket);
				assert.ok(others.io.every(({ socket }) => socket.connected));
				for (const socket of others.sockets) socket.close();
				for (const { socket } of others.io) socket.disconnect();
			});

		endsAll("the user signs out", async ({ refreshToken }) => {
			const { status, text } = await post("/api/auth/logout", { refreshToken });
			assert.equal(status, 200, text);
		});

		endsAll("a refresh token is reused", async ({ refreshToken }) => {
			const first = await post("/api/auth/refresh", { refreshToken });
			assert.equal(first.status, 200, first.text);
			assert.equal((await post("/api/auth/refresh", { refreshToken: first.json.refreshToken })).status, 200);
			assert.equal((await post("/api/auth/refresh", { refreshToken })).status, 401);
		});

		it("are closed when the token expires and not earlier, unless a new token was sent", async () => {
			const account = newAccount();
			const short = () => mint(account, { endsInMs: 5_000 });
			const endsAtMs = Date.now() + 4_000;
			const byConnect = await openSocketAs(plaza().wsUrl, account, await short());
			const byHandshake = await openSocket(plaza().wsUrl, { token: await short() });
			const prolonged = await openSocketAs(plaza().wsUrl, account, await short());
			const io = await openSocketIo(plaza().url, { auth: { token: await short() } });
			const loss = lost(io);
			const answer = await prolonged.request({ code: "connect", data: { user: account, token: await mint(account) } });
			assert.equal(answer.code, "connected");
			await Promise.all([byConnect, byHandshake].map(socket => isClosed(socket, "the token has ended")));
			assert.match(await loss, /^transport/);
			assert.ok(Date.now() >= endsAtMs, "closed before the token expired");
			await isWorking(prolonged);
			prolonged.close();
		});

		it("reconnect by Socket.IO with a new token, and are refused with the old one", async () => {
			const one = await register();
			const other = await signIn(one.email);
			const given = [one.token, other.token];
			const auth = (say: (auth: object) => void) => say({ token: given.length > 1 ? given.shift() : given[0] });
			const client = await openSocketIo(plaza().url, { auth, reconnection: true });
			const stale = await openSocketIo(plaza().url, { auth: { token: one.token }, reconnection: true });
			try {
				const again = next(client, "connect");
				const refused = next(stale, "connect_error");
				await expectStatus(200, post("/api/auth/logout", { refreshToken: one.refreshToken }));
				await within(again, 2 * CLOSED_WITHIN_MS, () => "the client to reconnect");
				assert.equal(await within(refused, 2 * CLOSED_WITHIN_MS, () => "the client to be refused"), "UNAUTHORIZED");
			} finally {
				client.socket.disconnect();
				stale.socket.disconnect();
			}
		});

		it("receive only the frames of the present user after another user signs in on the same socket", async () => {
			const [ann, ben] = await Promise.all([register(), register()]);
			const swapped = await openSocketAs(plaza().wsUrl, ann.user.id, ann.token);
			const watcher = await openSocketAs(plaza().wsUrls.at(-1) as string, ann.user.id, ann.token);
			swapped.send({ user_id: ann.user.id, amount: 1 });
			await swapped.waitFor(({ code }) => code === "balance", "Ann's balance");
			swapped.send({ code: "connect", data: { user: ben.user.id, token: ben.token } });
			await swapped.waitFor(({ code, data }) => code === "connected" && data.user === ben.user.id, "Ben to be connected");
			const from = swapped.frames.length;
			const refused = await swapped.request({ user_id: ann.user.id, amount: 1 });
			assert.deepEqual([refused.code, refused.data.type], ["error", "FORBIDDEN"]);
			watcher.send({ user_id: ann.user.id, amount: 2 });
			await watcher.waitFor(({ code, data }) => code === "balance" && data.balances.total === 3, "Ann's next balance");
			swapped.send({ user_id: ben.user.id, amount: 5 });
			await swapped.waitFor(({ code }) => code === "balance", "Ben's balance", { from });
			const ids = swapped.frames.slice(from).flatMap(({ data }) => data.user_id ?? []);
			assert.ok(ids.length > 0 && ids.every(id => id === ben.user.id), ids.join());
			swapped.close();
			watcher.close();
		});
	});
