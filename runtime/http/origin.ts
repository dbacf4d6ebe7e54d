import type { IncomingMessage } from "node:http";

/**
 * Whether the request's origin is allowed: no Origin header (not a browser), the same origin, or a listed one. `isSecure`: the client used TLS,
 * as a trusted proxy reports it (see `clientOf`); this server itself speaks plain HTTP.
 */
export function isAllowedOrigin(
	{ headers }: Pick<IncomingMessage, "headers">,
	allowed: readonly string[],
	isSecure: boolean
): boolean {
	const { origin, host } = headers;
	if (origin === undefined) return true;
	return origin === `${isSecure ? "https" : "http"}://${host}` || allowed.includes(origin);
}
