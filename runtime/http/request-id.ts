import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** The request's valid X-Request-ID header, or a new id; also set on the request, where moleculer-web reads it. */
export function assignRequestID(req: IncomingMessage): string {
	const given = req.headers["x-request-id"];
	const requestID = typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
	req.headers["x-request-id"] = requestID;
	// moleculer-web prefers this header.
	delete req.headers["x-correlation-id"];
	return requestID;
}
