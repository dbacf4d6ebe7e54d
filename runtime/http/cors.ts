// The response headers that let pages of other origins read a response: https://fetch.spec.whatwg.org/#http-cors-protocol
import type { IncomingMessage, ServerResponse } from "node:http";

/** Response headers that such a page may read in addition to the safelisted ones. */
export const EXPOSED_HEADERS = ["X-Request-ID", "Retry-After", "ETag"];

/** Lets a page read this response if its origin is listed; sets no header for other origins. */
export function allowCorsRead(
	{ headers: { origin } }: Pick<IncomingMessage, "headers">,
	res: ServerResponse,
	listed: readonly string[]
) {
	if (origin === undefined || !listed.includes(origin)) return;
	res.setHeader("Access-Control-Allow-Origin", origin);
	res.setHeader("Vary", "Origin");
	res.setHeader("Access-Control-Allow-Credentials", "true");
	res.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS.join(", "));
}
