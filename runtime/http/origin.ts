import type { IncomingMessage } from "node:http";

/**
 * Whether a request may come from where it comes from: no Origin (not a browser), our own, or one of the list. `isSecure`: it came by TLS, which
 * is the proxy's that `clientOf` trusts, for we speak plain HTTP.
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
