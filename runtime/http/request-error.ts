// Requests that Node accepts, but that other HTTP software could read differently (request smuggling), or that need a feature that this server lacks.
import type { IncomingMessage } from "node:http";
import { badRequest, expectationFailed, type HttpError, headersTooLarge, invalidHeader, payloadTooLarge } from "./http-error.ts";
import { MAX_BODY_BYTES } from "./request-cost.ts";

export const MAX_HEADERS = 100;

/** Headers that must not be repeated: Node uses the first one or joins them, and other HTTP software may use the last one. */
const SINGLE_HEADERS = ["host", "authorization", "content-type", "idempotency-key"];
/** Names of other lengths are skipped without converting them to lower case. */
const LENGTHS = new Set(SINGLE_HEADERS.map(({ length }) => length));

export const hasBody = ({ headers }: IncomingMessage) =>
	headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

export const isCompressed = ({ headers }: IncomingMessage) => (headers["content-encoding"] ?? "identity") !== "identity";

/** The first of `SINGLE_HEADERS` that is repeated; undefined if none is. */
function repeatedHeader(rawHeaders: readonly string[]): string | undefined {
	let seen = 0;
	for (let n = 0; n < rawHeaders.length; n += 2) {
		const name = rawHeaders[n] as string;
		if (!LENGTHS.has(name.length)) continue;
		const index = SINGLE_HEADERS.indexOf(name.toLowerCase());
		if (index === -1) continue;
		if (seen & (1 << index)) return SINGLE_HEADERS[index];
		seen |= 1 << index;
	}
	return undefined;
}

/** The error of a request whose headers are ambiguous, too many or not supported; undefined if there is none. */
export function requestError(req: IncomingMessage): HttpError | undefined {
	const { method, rawHeaders, headers, httpVersionMinor } = req;
	if (rawHeaders.length > 2 * MAX_HEADERS) return headersTooLarge;
	const repeated = repeatedHeader(rawHeaders);
	if (repeated === "host" || (headers.host === undefined && httpVersionMinor > 0)) return badRequest("Send one Host header");
	if (repeated) return invalidHeader(repeated, `Send the header ${repeated} once`);
	// HTTP/1.0 has no expectations, and Node ignores them there.
	if (headers.expect !== undefined && httpVersionMinor > 0 && headers.expect.toLowerCase() !== "100-continue")
		return expectationFailed;
	if ((method === "GET" || method === "HEAD") && hasBody(req)) return badRequest(`${method} must not have a body`);
	// body-parser limits only the decompressed size.
	if (isCompressed(req) && Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES) return payloadTooLarge;
	return undefined;
}
