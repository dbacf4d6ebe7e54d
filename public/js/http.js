// One HTTP request with three outcomes: answered, refused (final) or unavailable (retry).
import { Refused, Unavailable } from "./retry.js";

const TIMEOUT_MS = 10_000;
/** A longer `Retry-After` is cut to this. */
const LONGEST_RETRY_AFTER_MS = 10 * 60_000;
const TOO_MANY_REQUESTS = 429;

let clockOffsetMs = 0;
/** The server's time to the second, from its last `Date` header: the local clock may be hours off. */
export const serverNowMs = () => Date.now() - clockOffsetMs;

/**
 * Returns the body of a 2xx. Rejects with `Refused` on a 4xx, and with `Unavailable` on 429, 5xx, a timeout and a network error.
 * @param {"GET" | "POST" | "PATCH" | "DELETE"} method
 * @param {string} path
 * @param {object} [options]
 * @param {object} [options.body] sent as JSON
 * @param {string} [options.token] the caller's access token
 * @param {string} [options.idempotencyKey] requests with the same key have one effect
 * @param {boolean} [options.keepalive] the request continues, and its cookies are stored, when the page is closed
 * @param {AbortSignal} [options.signal] aborts the request
 * @param {number} [options.timeoutMs]
 */
export async function request(method, path, options = {}) {
	const { status, ok, headers, text } = await exchange(method, path, options);
	const answer = parse(text);
	if (ok) return answer;
	const message = answer?.message ?? `${method} ${path} answered ${status}`;
	if (status >= 400 && status < 500 && status !== TOO_MANY_REQUESTS) {
		throw new Refused(message, fieldErrorsOf(answer), answer?.type, answer?.data);
	}
	throw new Unavailable(message, retryAfterMs(headers.get("Retry-After")), answer?.type);
}

async function exchange(method, path, { body, token, idempotencyKey, keepalive, signal, timeoutMs = TIMEOUT_MS }) {
	try {
		const response = await fetch(path, {
			method,
			cache: "no-store",
			keepalive,
			signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
			headers: {
				...(body && { "Content-Type": "application/json" }),
				...(token && { Authorization: `Bearer ${token}` }),
				...(idempotencyKey && { "Idempotency-Key": idempotencyKey })
			},
			...(body && { body: JSON.stringify(body) })
		});
		const { status, ok, headers } = response;
		const theirsMs = Date.parse(headers.get("Date"));
		if (!Number.isNaN(theirsMs)) clockOffsetMs = Date.now() - theirsMs;
		return { status, ok, headers, text: await response.text() };
	} catch (error) {
		throw new Unavailable(error.message);
	}
}

/** A proxy may answer with something that is not JSON. */
function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** The field errors of a refusal: a list after a failed validation, or the one field of a conflict. */
function fieldErrorsOf(answer) {
	const { data, message } = answer ?? {};
	if (Array.isArray(data)) return data;
	return typeof data?.field === "string" ? [{ field: data.field, message }] : [];
}

/** `Retry-After` is either seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(header) {
	if (header === null) return undefined;
	const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
	return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}
