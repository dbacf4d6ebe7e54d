// A client of the public API that waits and retries as the server asks.
import { setTimeout as delay } from "node:timers/promises";

const TIMEOUT_MS = 10_000;
const DEFAULT_RETRY_MS = 1_000;

export interface Answer {
	status: number;
	// biome-ignore lint/suspicious/noExplicitAny: the shape depends on the route
	json: any;
}

export interface Credentials {
	email: string;
	password: string;
}

export interface Client {
	/** Rejects if the server cannot be reached. After 429 and 503 it waits and retries, until `signal` is aborted. */
	ask(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object, idempotencyKey?: string): Promise<Answer>;
	signIn(credentials: Credentials): Promise<Answer>;
	register(credentials: Credentials, name: string): Promise<Answer>;
}

export function openClient(url: string, signal: AbortSignal): Client {
	let token: string | undefined;
	let credentialsInUse: Credentials | undefined;

	const send = async (method: string, path: string, body?: object, idempotencyKey?: string) => {
		const response = await fetch(new URL(path, url), {
			method,
			headers: {
				...(body && { "content-type": "application/json" }),
				...(token && { authorization: `Bearer ${token}` }),
				...(idempotencyKey && { "idempotency-key": idempotencyKey })
			},
			body: body && JSON.stringify(body),
			signal: AbortSignal.timeout(TIMEOUT_MS)
		});
		const json = await response.json().catch(() => undefined);
		return { status: response.status, json, waitS: Number(response.headers.get("retry-after")) };
	};

	const sendWithRetries = async (...request: Parameters<typeof send>): Promise<Answer> => {
		for (;;) {
			const { waitS, ...answer } = await send(...request);
			if (answer.status !== 429 && answer.status !== 503) return answer;
			try {
				await delay(waitS * 1_000 || DEFAULT_RETRY_MS, undefined, { signal });
			} catch {
				return answer;
			}
		}
	};

	const authenticate = async (path: string, credentials: Credentials, more = {}) => {
		const answer = await sendWithRetries("POST", path, { ...credentials, ...more });
		if (answer.status < 300) {
			token = answer.json.token;
			credentialsInUse = credentials;
		}
		return answer;
	};

	return {
		async ask(...request) {
			const answer = await sendWithRetries(...request);
			if (answer.status !== 401 || !credentialsInUse) return answer;
			// The token has expired: it lasts 15 minutes.
			await authenticate("/api/auth/login", credentialsInUse);
			return sendWithRetries(...request);
		},
		signIn: credentials => authenticate("/api/auth/login", credentials),
		register: (credentials, name) => authenticate("/api/auth/register", credentials, { name })
	};
}
