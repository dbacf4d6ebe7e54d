import { tooMany } from "../../mixins/errors.ts";
import { type Limits, rateOf } from "../../mixins/limits/limits.ts";
import type { ThrottledLog } from "../throttled-log.ts";
import { logNameOf, siteOf } from "./client-address.ts";
import { type HttpError, toHttp } from "./http-error.ts";

/** Takes this number of requests (default 1) from the bucket of a client's address. Resolves with the 429 when there are fewer left. */
export type RequestLimit = (address: string, requests?: number) => Promise<HttpError | undefined>;

/** An IPv6 /48, which one person may have, gets what this many client addresses get, and not what its 65,536 would. */
const ADDRESSES_PER_SITE = 4;

/** The rate limit of requests: `maxPerSecond` for each client address (0: no limit). A client that exceeds it is logged. */
export function requestLimit(limits: Limits, maxPerSecond: number, log: Pick<ThrottledLog, "log">): RequestLimit {
	const [rate, siteRate] = [rateOf(maxPerSecond), rateOf(maxPerSecond * ADDRESSES_PER_SITE)];
	return async (address, requests = 1) => {
		const tokens = Math.min(requests, rate.burst);
		const site = siteOf(address);
		let retryAfterMs = await limits.take(`address:${address}`, rate, tokens);
		if (retryAfterMs === undefined && site !== address) retryAfterMs = await limits.take(`site:${site}`, siteRate, tokens);
		if (retryAfterMs === undefined) return undefined;
		log.log("a client exceeds MAX_REQUESTS_PER_SECOND, and gets 429", { client: logNameOf(address) });
		return toHttp(tooMany("Too many requests, slow down", retryAfterMs));
	};
}
