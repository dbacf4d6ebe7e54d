// The authorization matrix: every endpoint that the contracts and the proto files declare, with every kind of caller and of user id, with guests on
// and off; each outcome is compared with a real system.
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { status } from "@grpc/grpc-js";
import { callEmpty } from "./client.grpc.ts";
import { openSocket, type Socket } from "./client.socket.ts";
import { openSocketIo } from "./client.socket-io.ts";
import { fresh, httpClient, WAIT_MS } from "./client.ts";
import { type Case, casesOf, isTokenRefused, type Outcome, paramsOf, requestOf } from "./matrix.cases.ts";
import { contracts, grpcMethods } from "./matrix.endpoints.ts";
import { registerTestUsers, type TestUsers } from "./matrix.users.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

const GRPC_TOKEN = "a token for gRPC calls";
const CONCURRENCY = 8;
const OUTCOMES: Record<string, Outcome> = { "401": "401", UNAUTHORIZED: "401", "403": "403", FORBIDDEN: "403" };
/** The outcome of an HTTP status or of an error type. */
const outcomeOf = (answer: number | string): Outcome => OUTCOMES[answer] ?? "in";

const inner = contracts.flatMap(([name, { who }]) => (who ? [] : [name]));
const isRoute = (method: string, path: string) =>
	contracts.some(([, { rest }]) => rest && new RegExp(`^${rest.replace(/:\w+/g, "[^/]+")}$`).test(`${method} ${path}`));

let total = 0;
/** Describes a case without its nested objects. */
const describeCase = (one: object) =>
	JSON.stringify(one, (key, value) => (key !== "" && typeof value === "object" ? undefined : value));

/** Runs all cases, a few at a time, and fails with one line for each wrong outcome. */
async function tryAll<C extends object>(
	t: TestContext,
	cases: (C & { expected: unknown })[],
	attempt: (one: C) => Promise<unknown>
) {
	const wrong: string[] = [];
	const left = [...cases];
	const work = async () => {
		for (let one = left.pop(); one; one = left.pop()) {
			const got = await attempt(one).catch(error => `${error}`);
			if (got !== one.expected) wrong.push(`${describeCase(one)} had the outcome ${got}`);
		}
	};
	await Promise.all(Array.from({ length: CONCURRENCY }, work));
	assert.deepEqual(wrong, []);
	assert.ok(cases.length > 0, "there are no cases");
	total += cases.length;
	t.diagnostic(`${cases.length} cases, ${total} so far`);
}

for (const guests of ["on", "off"] as const)
	describe(`the authorization matrix, guests ${guests}`, () => {
		let system: System;
		let users: TestUsers;
		before(async () => {
			const unlimited = { MAX_REQUESTS_PER_SECOND: "0", MAX_FRAMES_PER_SECOND: "0" };
			const env = { GUESTS: guests, JWT_SECRET, ...unlimited, ...(guests === "off" && { GRPC_TOKEN }) };
			system = await startSystem({ profile: "embedded", env });
			users = await registerTestUsers(system.url);
		});
		after(() => system?.stop());

		/** All cases of the actions that declare this kind of endpoint. */
		const casesOfEndpoint = (kind: "rest" | "replyCode") =>
			contracts.flatMap(([name, contract]) => {
				const { who, [kind]: value } = contract;
				return who && value ? casesOf(who, guests).map(one => ({ name, contract, value, ...one })) : [];
			});

		const onSocket = async (ask: (socket: Socket) => ReturnType<Socket["request"]>): Promise<Outcome> => {
			const socket = await openSocket(system.wsUrl);
			const { code, data } = await ask(socket).finally(() => socket.close());
			return code === "error" ? outcomeOf(data.type) : "in";
		};

		it("answers every route as the table says", t =>
			tryAll(t, casesOfEndpoint("rest"), async ({ name, contract, value, under, caller }) => {
				const { method, path, body } = requestOf(value, paramsOf(name, contract, users.idOf(under)));
				const token = await users.tokenOf(caller);
				const headers = {
					...(body && { "content-type": "application/json" }),
					...(token && { authorization: `Bearer ${token}` })
				};
				const { status } = await httpClient(system.url).send(method, path, headers, body);
				// If anyone may call the action, a 401 comes from the action itself, for example for a wrong password.
				const isFromAction = contract.who === "anyone" && contract.errors?.includes("UNAUTHORIZED");
				return status === 401 && isFromAction ? "in" : outcomeOf(status);
			}));

		it("answers every frame without a code as the table says", t => {
			// A socket whose token was refused has no user.
			const cases = casesOfEndpoint("replyCode").map((one, _n, all) =>
				isTokenRefused(one)
					? { ...one, expected: all.find(({ under, caller }) => under === one.under && caller === "nobody")!.expected }
					: one
			);
			return tryAll(t, cases, async ({ name, contract, under, caller }) => {
				const token = await users.tokenOf(caller);
				return onSocket(async socket => {
					if (token) await socket.request({ code: "connect", data: { user: users.accountOf(caller), token } });
					return socket.request(paramsOf(name, contract, users.idOf(under)));
				});
			});
		});

		it("answers connect as the table says", t =>
			tryAll(t, casesOf("owner", guests), async ({ under, caller }) => {
				const token = await users.tokenOf(caller);
				return onSocket(socket => socket.request({ code: "connect", data: { user: users.idOf(under), token } }));
			}));

		it("lets every socket watch, even if its connect was refused", t =>
			tryAll(t, casesOf("anyone", guests), async ({ caller }) => {
				const token = await users.tokenOf(caller);
				return onSocket(async socket => {
					await socket.request({ code: "connect", data: { user: users.accountOf(caller), token } });
					return socket.request({ code: "watch", data: { selections: true } });
				});
			}));

		it("accepts handshakes with a valid token, and on /ws also without a token", t => {
			const endpoints = { "/ws": casesOf("visitor", "on"), "Socket.IO": casesOf("visitor", guests) };
			const cases = Object.entries(endpoints).flatMap(([endpoint, those]) => those.map((one: Case) => ({ endpoint, ...one })));
			return tryAll(t, cases, async ({ endpoint, caller }) => {
				const token = await users.tokenOf(caller);
				if (endpoint === "/ws")
					return openSocket(system.wsUrl, { token }).then(
						socket => {
							socket.close();
							return "in";
						},
						({ status }) => outcomeOf(status)
					);
				const { socket, outcome } = await openSocketIo(system.url, { auth: { token }, transports: ["websocket"] });
				socket.disconnect();
				return outcome === "connected" ? "in" : outcomeOf(outcome);
			});
		});

		it("lets every client that may connect subscribe to a seat map, and unsubscribe", t => {
			const events = ["subscribe:seats", "unsubscribe:seats"];
			const cases = events.flatMap(event => casesOf("visitor", guests).map((one: Case) => ({ event, ...one })));
			return tryAll(t, cases, async ({ event, caller }) => {
				const token = await users.tokenOf(caller);
				const { socket, outcome } = await openSocketIo(system.url, { auth: { token }, transports: ["websocket"] });
				try {
					if (outcome !== "connected") return outcomeOf(outcome);
					const { ok, error } = await socket.timeout(WAIT_MS).emitWithAck(event, { showId: fresh("show") });
					// A show that does not exist was looked up.
					return ok || error.type === "NOT_FOUND" ? "in" : error.type;
				} finally {
					socket.disconnect();
				}
			});
		});

		it("requires GRPC_TOKEN for every gRPC method if it is set, and no other token", async t => {
			const tokens = { none: undefined, another: "another", "an account's": await users.tokenOf("own"), right: GRPC_TOKEN };
			const cases = [...grpcMethods].flatMap(([method, isGuarded]) =>
				Object.entries(tokens).map(([name, token]) => {
					const isIn = guests === "on" || !isGuarded || name === "right";
					return { method, name, token, expected: isIn ? "in" : "refused" };
				})
			);
			const refusals: (number | undefined)[] = [status.UNAUTHENTICATED, status.PERMISSION_DENIED];
			await tryAll(t, cases, async ({ method, token }) =>
				refusals.includes(await callEmpty(system.grpc, method, token)) ? "refused" : "in"
			);
		});

		it("exposes no action without `who`, neither by a route nor by a frame", async t => {
			const authorization = `Bearer ${await users.tokenOf("admin")}`;
			const paths = inner.flatMap(name => [name, name.replace(".", "/")].flatMap(path => [`/${path}`, `/api/${path}`]));
			const routes = paths.flatMap(path =>
				["GET", "POST", "PUT", "PATCH", "DELETE"].map(method => ({ method, path, expected: 404 }))
			);
			// `/api/wallet/getTotalSpent` is a valid route: the wallet of a user with this id.
			const cases = routes.filter(({ method, path }) => !isRoute(method, path));
			await tryAll(t, cases, async ({ method, path }) => {
				const body = method === "GET" ? undefined : {};
				const headers = { authorization, "content-type": "application/json" };
				return (await httpClient(system.url).send(method, path, headers, body)).status;
			});
			await tryAll(
				t,
				inner.map(code => ({ code, expected: "VALIDATION_ERROR" })),
				async ({ code }) => {
					const socket = await openSocket(system.wsUrl, { token: await users.tokenOf("admin") });
					const { data } = await socket.request({ code, data: {} }).finally(() => socket.close());
					return data.type;
				}
			);
			for (const [name, { rest, replyCode, who }] of contracts)
				assert.ok(who || !(rest || replyCode), `${name} has an endpoint but no who`);
		});
	});
