// The one place where an error becomes an HTTP answer: what the caller may know, and nothing of what is inside.
import type { ServerResponse } from "node:http";
import { isUnavailable } from "../../mixins/errors.ts";

export interface HttpError {
	name: string;
	message: string;
	code: number;
	type: string;
	data?: unknown;
}

export const notFound: HttpError = { name: "NotFoundError", message: "There is nothing here", code: 404, type: "NOT_FOUND" };
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
export const badRequest = (message: string): HttpError => ({ name: "BadRequestError", message, code: 400, type: "BAD_REQUEST" });
export const originNotAllowed: HttpError = {
	name: "ForbiddenError",
	message: "This origin is not allowed",
	code: 403,
	type: "ORIGIN_NOT_ALLOWED"
};

/** What body-parser says of a body, by the `type` of its errors. */
const BODY_ERRORS: Record<string, HttpError> = {
	"entity.parse.failed": { name: "BadRequestError", message: "The body is not JSON", code: 400, type: "UNREADABLE_JSON" },
	"entity.verify.failed": { name: "BadRequestError", message: "The body is not UTF-8", code: 400, type: "UNREADABLE_JSON" },
	"entity.too.deep": { name: "BadRequestError", message: "The body nests too deep", code: 400, type: "UNREADABLE_JSON" },
	"entity.too.large": { name: "PayloadTooLargeError", message: "The body is too large", code: 413, type: "PAYLOAD_TOO_LARGE" },
	"encoding.unsupported": {
		name: "UnsupportedMediaTypeError",
		message: "This content encoding is not known here",
		code: 415,
		type: "UNSUPPORTED_MEDIA_TYPE"
	},
	"charset.unsupported": {
		name: "UnsupportedMediaTypeError",
		message: "Send JSON as UTF-8",
		code: 415,
		type: "UNSUPPORTED_MEDIA_TYPE"
	},
	"request.size.invalid": badRequest("The body is not as long as it says"),
	"request.aborted": badRequest("The body ended early")
};

/** The answer to an error of whatever kind; undefined data is left out. */
export function toHttp(error: unknown): HttpError {
	const { name, message, code, type, data } = error as HttpError;
	const body = BODY_ERRORS[type];
	if (body) return body;
	// zlib's, of a body that says it is compressed and is not.
	if (String(code).startsWith("Z_")) return badRequest("The body cannot be read");
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

/** In whole seconds, when whoever got this error may come back: of 429 as its data says it, of 503 after one, of others never. */
export function retryAfterOf({ code, data }: HttpError): number | undefined {
	if (code !== 429 && code !== 503) return undefined;
	const { retryAfterMs = 0 } = (data ?? {}) as { retryAfterMs?: number };
	return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

/** Writes an error as JSON; 429 and 503 say when to come back. */
export function sendError(res: ServerResponse, error: HttpError) {
	if (res.headersSent) return;
	const retryAfter = retryAfterOf(error);
	if (retryAfter !== undefined) res.setHeader("Retry-After", retryAfter);
	sendJson(res, error.code, { ...error, data: error.data ?? null });
}

export const sendJson = (res: ServerResponse, status: number, body: unknown) => sendText(res, status, JSON.stringify(body));

/** What is JSON already. */
export function sendText(res: ServerResponse, status: number, text: string) {
	res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(text) });
	res.end(text);
}
