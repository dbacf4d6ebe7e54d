// The HTTP requests of one session: they carry its user's token, and have no answer once the session is closed.
import { request } from "./http.js";
import { withToken } from "./identity.js";
import { untilAnswered } from "./retry.js";

/** @param {import("./identity.js").Who} who */
export function openRequests(who) {
	const closing = new AbortController();
	const once = async (method, path, options) => {
		const answer = await withToken(who, token => request(method, path, { ...options, token }));
		closing.signal.throwIfAborted();
		return answer;
	};
	return {
		/** Sends the request once; rejects with `Refused` or `Unavailable`. */
		once,
		get: path => once("GET", path),
		/** Retries until there is an answer; rejects with `Refused`. Only for idempotent requests. */
		untilDone: (method, path, options) => untilAnswered(() => once(method, path, options), closing.signal),
		close: () => closing.abort()
	};
}
