// The victim: an ordinary client on another address than the attacker's, which sends requests at a fixed rate.
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

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
	status: number;
}

const TIMEOUT_MS = 10_000;
const FROM = "127.0.0.1";
const PER_SECOND = 50;
/** Each sign-in is a password hash, which is slow by design; the hashes of one address run one after the other. */
const LOGINS_PER_SECOND = 2;

const send = (url: string, agent: Agent, { method, path, body }: Request) =>
	new Promise<string>(resolve => {
		const headers = body ? { "content-type": "application/json" } : {};
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

/** `logins`: signs in to its account repeatedly; `requests`: picks, buys and reads. */
export async function openVictim(url: string, kind: "requests" | "logins"): Promise<Victim> {
	const agent = new Agent({ keepAlive: true, maxSockets: 100 });
	const account = { email: `${randomUUID()}@example.com`, password: randomUUID() };
	if (kind === "logins") {
		const body = { ...account, name: "Victim" };
		const status = await send(url, agent, { method: "POST", path: "/api/auth/register", body, status: 201 });
		if (status !== "201") throw new Error(`the victim cannot register: ${status}`);
	}
	const login = () => ({ method: "POST", path: "/api/auth/login", body: account, status: 200 }) as const;
	const perSecond = kind === "logins" ? LOGINS_PER_SECOND : PER_SECOND;

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
				const one = kind === "logins" ? login() : requests[n % requests.length]!();
				const outcome = await send(url, agent, one);
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
