import type { IncomingMessage } from "node:http";

/**
 * Whether a request may come from where it comes from: no Origin (not a browser), our own, or one of the list. We speak plain HTTP: behind a proxy
 * that speaks TLS, the proxy's origin belongs on the list.
 */
export function isAllowedOrigin({ headers }: Pick<IncomingMessage, "headers">, allowed: readonly string[]): boolean {
	const { origin, host } = headers;
	if (origin === undefined) return true;
	return origin === `http://${host}` || allowed.includes(origin);
}
