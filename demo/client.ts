// Somebody who uses the public API, and waits as long as it asks for.
import { setTimeout as delay } from "node:timers/promises";

const ANSWERED_WITHIN_MS = 10_000;
const ASK_AGAIN_AFTER_MS = 1_000;

export interface Answer {
	status: number;
	// biome-ignore lint/suspicious/noExplicitAny: what a server answers is known when it has
	json: any;
}

export interface Credentials {
	email: string;
	password: string;
}

export interface Client {
	/** Rejects where the server cannot be reached. A 429 or 503 is waited for and tried again, until `signal` says that the time is over. */
	ask(method: "GET" | "POST" | "PATCH", path: string, body?: object, idempotencyKey?: string): Promise<Answer>;
	signIn(credentials: Credentials): Promise<Answer>;
	register(credentials: Credentials, name: string): Promise<Answer>;
}

export function openClient(url: string, signal: AbortSignal): Client {
	let token: string | undefined;
	let known: Credentials | undefined;

	const send = async (method: string, path: string, body?: object, idempotencyKey?: string) => {
		const response = await fetch(new URL(path, url), {
			method,
			headers: {
				...(body && { "content-type": "application/json" }),
				...(token && { authorization: `Bearer ${token}` }),
				...(idempotencyKey && { "idempotency-key": idempotencyKey })
			},
			body: body && JSON.stringify(body),
			signal: AbortSignal.timeout(ANSWERED_WITHIN_MS)
		});
		const json = await response.json().catch(() => undefined);
		return { status: response.status, json, waitS: Number(response.headers.get("retry-after")) };
	};

	const sendUntilTaken = async (...request: Parameters<typeof send>): Promise<Answer> => {
		for (;;) {
			const { waitS, ...answer } = await send(...request);
			if (answer.status !== 429 && answer.status !== 503) return answer;
			try {
				await delay(waitS * 1_000 || ASK_AGAIN_AFTER_MS, undefined, { signal });
			} catch {
				return answer;
			}
		}
	};

	const enter = async (path: string, credentials: Credentials, more = {}) => {
		const answer = await sendUntilTaken("POST", path, { ...credentials, ...more });
		if (answer.status < 300) {
			token = answer.json.token;
			known = credentials;
		}
		return answer;
	};

	return {
		async ask(...request) {
			const answer = await sendUntilTaken(...request);
			if (answer.status !== 401 || !known) return answer;
			// A token lasts for a quarter of an hour.
			await enter("/api/auth/login", known);
			return sendUntilTaken(...request);
		},
		signIn: credentials => enter("/api/auth/login", credentials),
		register: (credentials, name) => enter("/api/auth/register", credentials, { name })
	};
}
