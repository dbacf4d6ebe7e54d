// What lets pages of other sites read our answers: https://fetch.spec.whatwg.org/#http-cors-protocol
import type { IncomingMessage, ServerResponse } from "node:http";

/** The headers of an answer that such a page may read, beside those that it always may. */
export const EXPOSED_HEADERS = ["X-Request-ID", "Retry-After"];

/** Lets a page of a listed origin read this answer; to any other origin it says nothing. */
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
