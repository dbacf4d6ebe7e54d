// The victim: an ordinary client on another address than the attacker's, which sends requests at a fixed rate.
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { orderOf, type Target, type VictimKind } from "./attack.ts";

export interface Experience {
	/** From the time at which each request was due to its answer; a request without an answer counts with its whole timeout. */
	latenciesMs: number[];
	/** Requests without the expected answer, by status or error. */
	failures: Record<string, number>;
}

export interface Victim {
	/** Sends requests for this time, and resolves once all are answered or have timed out. */
	act(ms: number): Promise<Experience>;
}

interface Request {
	method: "GET" | "POST";
	path: string;
	body?: object;
	token?: string;
	status: number;
}

const TIMEOUT_MS = 10_000;
const FROM = "127.0.0.1";
const PER_SECOND = 50;
/** Each sign-in is a password hash, which is slow by design; the hashes of one address run one after the other. */
const LOGINS_PER_SECOND = 2;
const ORDERS_PER_SECOND = 20;

const send = (url: string, agent: Agent, { method, path, body, token }: Request) =>
	new Promise<string>(resolve => {
		const headers = {
			...(body && { "content-type": "application/json" }),
			...(token && { authorization: `Bearer ${token}` })
		};
		const sent = request(new URL(path, url), { method, headers, agent, localAddress: FROM, timeout: TIMEOUT_MS }, response => {
			response.resume().on("close", () => resolve(response.complete ? String(response.statusCode) : "cut off"));
		});
		sent.on("timeout", () => sent.destroy(Object.assign(new Error(), { code: "timed out" })));
		sent.on("error", ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
		sent.end(body && JSON.stringify(body));
	});

const user_id = "victim";
const requests: (() => Request)[] = [
	() => ({ method: "GET", path: "/selections", status: 200 }),
	() => ({ method: "POST", path: "/api/selections/async", body: { name: "a", id: randomUUID(), user_id }, status: 202 }),
	() => ({ method: "POST", path: "/api/purchases", body: { user_id, amount: 0.01 }, status: 201 }),
	() => ({ method: "GET", path: `/api/wallet/${user_id}`, status: 200 })
];

/** Creates an account; returns its credentials and a token. */
async function register(url: string) {
	const account = { email: `${randomUUID()}@example.com`, password: randomUUID() };
	const body = JSON.stringify({ ...account, name: "Victim" });
	const headers = { "content-type": "application/json" };
	const response = await fetch(`${url}/api/auth/register`, { method: "POST", headers, body });
	const answer = (await response.json()) as { token: string };
	if (response.status !== 201) throw new Error(`the victim cannot register: ${response.status}`);
	return { account, token: answer.token };
}

/** Its requests, in turn, and how many of them it sends a second. */
async function habitsOf(kind: VictimKind, { url, productId }: Target): Promise<{ acts: (() => Request)[]; perSecond: number }> {
	if (kind === "requests") return { acts: requests, perSecond: PER_SECOND };
	const { account, token } = await register(url);
	if (kind === "logins") {
		const login = () => ({ method: "POST", path: "/api/auth/login", body: account, status: 200 }) as const;
		return { acts: [login], perSecond: LOGINS_PER_SECOND };
	}
	const order = () => ({ method: "POST", path: "/api/orders", body: orderOf(productId, 1), token, status: 201 }) as const;
	return { acts: [order], perSecond: ORDERS_PER_SECOND };
}

export async function openVictim(target: Target, kind: VictimKind): Promise<Victim> {
	const agent = new Agent({ keepAlive: true, maxSockets: 100 });
	const { acts, perSecond } = await habitsOf(kind, target);

	return {
		async act(ms) {
			const experience: Experience = { latenciesMs: [], failures: {} };
			const fail = (outcome: string) => {
				experience.failures[outcome] = (experience.failures[outcome] ?? 0) + 1;
			};
			const startMs = performance.now();
			const sent = Array.from({ length: Math.floor((ms * perSecond) / 1_000) }, async (_, n) => {
				const dueMs = startMs + (n * 1_000) / perSecond;
				await delay(Math.max(0, dueMs - performance.now()));
				const one = acts[n % acts.length]!();
				const outcome = await send(target.url, agent, one);
				const isAnswered = outcome === String(one.status);
				if (!isAnswered) fail(outcome);
				// A quick refusal must not improve the latencies.
				experience.latenciesMs.push(isAnswered ? performance.now() - dueMs : TIMEOUT_MS);
			});
			await Promise.all(sent);
			return experience;
		}
	};
}
