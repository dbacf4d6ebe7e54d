import { randomUUID } from "node:crypto";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type HttpError, retryAfterOf } from "./http-error.ts";
import { assignRequestID } from "./request-id.ts";
import { SECURITY_HEADER_LINES } from "./security-headers.ts";

/** The whole response for an HTTP error, for a connection that is closed after it. `headers`: further header lines. */
export function rawResponse(error: HttpError, requestID: string = randomUUID(), headers: readonly string[] = []): string {
	const body = JSON.stringify({ ...error, data: error.data ?? null });
	const retryAfter = retryAfterOf(error);
	const head = [
		`HTTP/1.1 ${error.code} ${STATUS_CODES[error.code]}`,
		"Connection: close",
		`X-Request-ID: ${requestID}`,
		...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
		...headers,
		"Content-Type: application/json; charset=utf-8",
		`Content-Length: ${Buffer.byteLength(body)}`
	];
	return `${head.join("\r\n")}\r\n${SECURITY_HEADER_LINES}\r\n${body}`;
}

/**
 * Sends an HTTP error on a raw socket, where Node gives no response object (a rejected upgrade, an unreadable request), and closes it. `req`: the
 * request, unless it could not be read; `headers`: further header lines.
 */
export function rejectUpgrade(socket: Duplex, error: HttpError, req?: IncomingMessage, headers?: readonly string[]) {
	socket.on("error", () => {});
	socket.end(rawResponse(error, req && assignRequestID(req), headers), () => socket.destroy());
}
