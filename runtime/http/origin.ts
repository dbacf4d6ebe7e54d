import type { IncomingMessage } from "node:http";
import { isLoopback } from "./loopback-host.ts";

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

/** IP addresses, and the names that no DNS server resolves (RFC 6761, 6.3). */
const FIXED_HOST = /^(localhost|.+\.localhost|[\d.]+|\[[\da-f:.]+\])$/i;

export interface RebindingOptions {
	/** The address that the server listens on. */
	host: string;
	trustedProxies: readonly string[];
	allowedOrigins: readonly string[];
}

/**
 * Returns a function that checks whether an origin may be a foreign page whose host name was made to resolve to this machine (DNS rebinding): without the
 * check it would count as our own origin. Only where the server listens on loopback without a proxy: elsewhere Plaza may have any host name.
 */
export function reboundOrigins({ host, trustedProxies, allowedOrigins }: RebindingOptions) {
	if (!isLoopback(host.toLowerCase()) || trustedProxies.length > 0) return () => false;
	return (origin: string | undefined): boolean => {
		if (origin === undefined || allowedOrigins.includes(origin)) return false;
		const name = /^https?:\/\/(.+?)(:\d+)?$/.exec(origin)?.[1] ?? "";
		return !FIXED_HOST.test(name);
	};
}
