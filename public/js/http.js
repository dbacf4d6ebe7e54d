// One HTTP request: answered, refused, or to be tried again.
import { Away, Refused } from "./retry.js";

const TIMEOUT_MS = 10_000;
/** A server that names a later time is asked again after this long all the same. */
const LONGEST_RETRY_AFTER_MS = 10 * 60_000;
const TOO_MANY_REQUESTS = 429;

/**
 * Answers the body of a 2xx. Rejects with `Refused` on a 4xx, and with `Away` on 429, 5xx, silence and a broken network.
 * @param {"GET" | "POST"} method
 * @param {string} path
 * @param {object} [body] sent as JSON
 */
export async function request(method, path, body) {
	const { status, ok, headers, text } = await exchange(method, path, body);
	const answer = parse(text);
	if (ok) return answer;
	const message = answer?.message ?? `${method} ${path} answered ${status}`;
	if (status >= 400 && status < 500 && status !== TOO_MANY_REQUESTS)
		throw new Refused(message, Array.isArray(answer?.data) ? answer.data : []);
	throw new Away(message, retryAfterMs(headers.get("Retry-After")));
}

async function exchange(method, path, body) {
	try {
		const response = await fetch(path, {
			method,
			cache: "no-store",
			signal: AbortSignal.timeout(TIMEOUT_MS),
			...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })
		});
		const { status, ok, headers } = response;
		return { status, ok, headers, text: await response.text() };
	} catch (error) {
		throw new Away(error.message);
	}
}

/** A proxy in between may answer with something that is not JSON. */
function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** `Retry-After` is either seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(header) {
	if (header === null) return undefined;
	const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
	return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}
