import { tooMany } from "../../mixins/errors.ts";
import { type Limits, rateOf } from "../../mixins/limits/limits.ts";
import type { ThrottledLog } from "../../mixins/throttled-log.ts";
import { logNameOf } from "./client-address.ts";
import { type HttpError, toHttp } from "./http-error.ts";

/** Takes this number of requests (default 1) from the bucket of a client's address. Resolves with the 429 when there are fewer left. */
export type RequestLimit = (address: string, requests?: number) => Promise<HttpError | undefined>;

/** The rate limit of requests: `maxPerSecond` for each client address (0: no limit). A client that exceeds it is logged. */
export function requestLimit(limits: Limits, maxPerSecond: number, log: Pick<ThrottledLog, "log">): RequestLimit {
	const rate = rateOf(maxPerSecond);
	return async (address, requests = 1) => {
		const retryAfterMs = await limits.take(`address:${address}`, rate, Math.min(requests, rate.burst));
		if (retryAfterMs === undefined) return undefined;
		log.log("a client exceeds MAX_REQUESTS_PER_SECOND, and gets 429", { client: logNameOf(address) });
		return toHttp(tooMany("Too many requests, slow down", retryAfterMs));
	};
}
