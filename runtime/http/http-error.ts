// The one place where an error becomes an HTTP response. It exposes only what the client may know: no stack traces, no host names.
import type { ServerResponse } from "node:http";
import { isUnavailable } from "../../mixins/errors.ts";

export interface HttpError {
	name: string;
	message: string;
	code: number;
	type: string;
	data?: unknown;
}

export const notFound: HttpError = { name: "NotFoundError", message: "Not found", code: 404, type: "NOT_FOUND" };
export const notReady: HttpError = {
	name: "ServiceUnavailableError",
	message: "Not ready yet, try again later",
	code: 503,
	type: "UNAVAILABLE"
};
export const tooManyRequests: HttpError = {
	name: "TooManyRequestsError",
	message: "Too many requests, slow down",
	code: 429,
	type: "TOO_MANY_REQUESTS"
};
export const headersTooLarge: HttpError = {
	name: "HeadersTooLargeError",
	message: "Too many headers, or too large",
	code: 431,
	type: "HEADERS_TOO_LARGE"
};
export const requestTimeout: HttpError = {
	name: "RequestTimeoutError",
	message: "The request did not arrive in time",
	code: 408,
	type: "REQUEST_TIMEOUT"
};
export const payloadTooLarge: HttpError = {
	name: "PayloadTooLargeError",
	message: "The body is too large",
	code: 413,
	type: "PAYLOAD_TOO_LARGE"
};
export const uriTooLong: HttpError = {
	name: "UriTooLongError",
	message: "The request target is longer than 8 KiB",
	code: 414,
	type: "URI_TOO_LONG"
};
export const expectationFailed: HttpError = {
	name: "ExpectationFailedError",
	message: "Expect: 100-continue is the only supported expectation",
	code: 417,
	type: "EXPECTATION_FAILED"
};
export const preconditionFailed: HttpError = {
	name: "PreconditionFailedError",
	message: "The file has changed: its ETag or date is not the one that the request requires",
	code: 412,
	type: "PRECONDITION_FAILED"
};
export const rangeNotSatisfiable: HttpError = {
	name: "RangeNotSatisfiableError",
	message: "The requested range lies outside of the file",
	code: 416,
	type: "RANGE_NOT_SATISFIABLE"
};
export const badRequest = (message: string): HttpError => ({ name: "BadRequestError", message, code: 400, type: "BAD_REQUEST" });
/** `data.header` names the header, in lower case. */
export const invalidHeader = (header: string, message: string): HttpError => ({
	name: "BadRequestError",
	message,
	code: 400,
	type: "INVALID_HEADER",
	data: { header }
});
export const originNotAllowed: HttpError = {
	name: "ForbiddenError",
	message: "This origin is not allowed",
	code: 403,
	type: "ORIGIN_NOT_ALLOWED"
};
export const hostNotAllowed: HttpError = {
	name: "ForbiddenError",
	message: "This port answers requests to localhost only",
	code: 403,
	type: "HOST_NOT_ALLOWED"
};

/** Our errors for the errors of body-parser, by their `type`. */
const BODY_ERRORS: Record<string, HttpError> = {
	"entity.too.large": payloadTooLarge,
	"encoding.unsupported": {
		name: "UnsupportedMediaTypeError",
		message: "This content encoding is not supported",
		code: 415,
		type: "UNSUPPORTED_MEDIA_TYPE"
	},
	"request.size.invalid": badRequest("The body does not have the length of its Content-Length header"),
	"request.aborted": badRequest("The connection was closed before the end of the body")
};

const unreadableBody: HttpError = {
	name: "BadRequestError",
	message: "The body is not compressed as its Content-Encoding header says, or is cut short",
	code: 400,
	type: "UNREADABLE"
};
/** The `code` of Node's errors from zlib, Brotli and Zstandard. */
const DECOMPRESSION_ERROR = /^(Z_|ZSTD_|ERR__|ERR_BROTLI|ERR_ZSTD)/;

/** Maps any error to an HTTP error: known client errors as they are, unavailable dependencies to 503, everything else to a 500 without details. */
export function toHttp(error: unknown): HttpError {
	const { name, message, code, type, data } = error as HttpError;
	const body = BODY_ERRORS[type];
	if (body) return body;
	if (DECOMPRESSION_ERROR.test(String(code))) return unreadableBody;
	if (isUnavailable(error) || code === 503 || code === 504) {
		const { what } = (data ?? {}) as { what?: string };
		return what ? { ...notReady, message, data: { what } } : notReady;
	}
	if (type === "TOO_MANY_REQUESTS") {
		const { retryAfterMs } = (data ?? {}) as { retryAfterMs?: unknown };
		return { ...tooManyRequests, message, data: Number.isFinite(retryAfterMs) ? { retryAfterMs } : undefined };
	}
	if (typeof code === "number" && code >= 400 && code < 500) return { name, message, code, type: type ?? "BAD_REQUEST", data };
	return { name: "InternalServerError", message: "Something went wrong here", code: 500, type: "INTERNAL_ERROR" };
}

/** The value of Retry-After in whole seconds: for 429 from `data.retryAfterMs`, for 503 one second, for other errors undefined. */
export function retryAfterOf({ code, data }: HttpError): number | undefined {
	if (code !== 429 && code !== 503) return undefined;
	const { retryAfterMs = 0 } = (data ?? {}) as { retryAfterMs?: number };
	return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

/** Sends an error as JSON, with Retry-After for 429 and 503. A response that has begun is cut off: the client must not take it for a whole one. */
export function sendError(res: ServerResponse, error: HttpError) {
	if (res.headersSent) {
		if (!res.writableEnded) res.destroy();
		return;
	}
	const retryAfter = retryAfterOf(error);
	if (retryAfter !== undefined) res.setHeader("Retry-After", retryAfter);
	sendJson(res, error.code, { ...error, data: error.data ?? null });
}

export const sendJson = (res: ServerResponse, status: number, body: unknown) => sendText(res, status, JSON.stringify(body));

/** Sends a text that is JSON already. */
export function sendText(res: ServerResponse, status: number, text: string | Buffer) {
	res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(text) });
	res.end(text);
}
