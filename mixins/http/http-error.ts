// The one place where an error becomes an HTTP answer: what the caller may know, and nothing of what is inside.
import type { ServerResponse } from "node:http";
import { isAway } from "../errors.ts";

export interface HttpError {
	name: string;
	message: string;
	code: number;
	type: string;
	data?: unknown;
}

const RETRY_AFTER_S = 1;

export const notFound: HttpError = { name: "NotFoundError", message: "There is nothing here", code: 404, type: "NOT_FOUND" };
export const unavailableHere: HttpError = {
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
export const foreignOrigin: HttpError = {
	name: "ForbiddenError",
	message: "This origin is not allowed",
	code: 403,
	type: "ORIGIN_NOT_ALLOWED"
};

/** What body-parser says of a body, by the `type` of its errors. */
const BODY: Record<string, HttpError> = {
	"entity.parse.failed": { name: "BadRequestError", message: "The body is not JSON", code: 400, type: "UNREADABLE_JSON" },
	"entity.verify.failed": { name: "BadRequestError", message: "The body is not UTF-8", code: 400, type: "UNREADABLE_JSON" },
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
	"request.size.invalid": {
		name: "BadRequestError",
		message: "The body is not as long as it says",
		code: 400,
		type: "BAD_REQUEST"
	},
	"request.aborted": { name: "BadRequestError", message: "The body ended early", code: 400, type: "BAD_REQUEST" }
};

/** The answer to an error of whatever kind; undefined data is left out. */
export function toHttp(error: unknown): HttpError {
	const { name, message, code, type, data } = error as HttpError;
	const body = BODY[type];
	if (body) return body;
	// zlib's, of a body that says it is compressed and is not.
	if (String(code).startsWith("Z_"))
		return { name: "BadRequestError", message: "The body cannot be read", code: 400, type: "BAD_REQUEST" };
	if (isAway(error) || code === 503 || code === 504) {
		const { what } = (data ?? {}) as { what?: string };
		return what ? { ...unavailableHere, message, data: { what } } : unavailableHere;
	}
	if (typeof code === "number" && code >= 400 && code < 500) return { name, message, code, type: type ?? "BAD_REQUEST", data };
	return { name: "InternalServerError", message: "Something went wrong here", code: 500, type: "INTERNAL_ERROR" };
}

/** Writes an error as JSON; 429 and 503 say when to come back. */
export function sendError(res: ServerResponse, error: HttpError) {
	if (res.headersSent) return;
	if (error.code === 429 || error.code === 503) res.setHeader("Retry-After", RETRY_AFTER_S);
	sendJson(res, error.code, { ...error, data: error.data ?? null });
}

export function sendJson(res: ServerResponse, status: number, body: unknown) {
	const text = JSON.stringify(body);
	res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(text) });
	res.end(text);
}
