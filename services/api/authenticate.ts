// Who sends a request, and whether that account has sent too many.
import type { IncomingMessage } from "node:http";
import type { ActionContract, Identity } from "../../contract/action.ts";
import { isUnavailable, tooMany } from "../../mixins/errors.ts";
import { type Limits, rateOf } from "../../mixins/limits/limits.ts";
import { bearerOf } from "../../runtime/http/bearer.ts";
import type { Caller } from "../define-service.ts";

/**
 * The verified caller of a request, undefined without a token. An invalid token is rejected with 401 `UNAUTHORIZED`; on a route that anyone may
 * call it is ignored. On a route that sets the refresh cookie, an unavailable check is an error too: the session is at stake.
 */
export async function callerOf(
	broker: Caller,
	{ who, restCookie }: ActionContract,
	req: IncomingMessage
): Promise<Identity | undefined> {
	const token = bearerOf(req);
	if (token === undefined) return undefined;
	const requestID = req.headers["x-request-id"] as string;
	const caller = broker.call("users.authenticate", { token }, { requestID });
	if (who !== "anyone") return caller;
	return caller.catch(error => {
		if (restCookie && isUnavailable(error)) throw error;
		return undefined;
	});
}

/**
 * Limits an account, over all of its client addresses, to the rate of one address. The function counts this number of requests, and rejects with 429
 * `TOO_MANY_REQUESTS`.
 */
export function accountLimit(limits: Limits, maxRequestsPerSecond: number) {
	const rate = rateOf(maxRequestsPerSecond);
	return async (caller: Identity | undefined, requests: number) => {
		const retryAfterMs = caller && (await limits.take(`account:${caller.id}`, rate, Math.min(requests, rate.burst)));
		if (retryAfterMs !== undefined) throw tooMany("Too many requests of this account, slow down", retryAfterMs);
	};
}
