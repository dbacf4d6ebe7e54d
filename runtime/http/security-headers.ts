// Security headers of every response: https://owasp.org/www-project-secure-headers/
import type { ServerResponse } from "node:http";

const YEAR_S = 365 * 24 * 60 * 60;

/** For responses that are data: no script runs in them, no page frames them, no cache stores them. Pages replace some of these. */
const HEADERS = [
	["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"],
	["Cache-Control", "no-store"],
	["X-Content-Type-Options", "nosniff"],
	["Referrer-Policy", "no-referrer"],
	["Cross-Origin-Opener-Policy", "same-origin"],
	["Cross-Origin-Resource-Policy", "same-origin"],
	["Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"]
] as const;

/** The same as HTTP header lines, for responses that are written to a raw socket. */
export const SECURITY_HEADER_LINES = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join("");

/** `isSecure`: the client used TLS; HSTS then requires TLS for a year. Browsers ignore HSTS over plain HTTP (RFC 6797, 8.1). */
export function setSecurityHeaders(res: ServerResponse, isSecure: boolean) {
	for (const [name, value] of HEADERS) res.setHeader(name, value);
	if (isSecure) res.setHeader("Strict-Transport-Security", `max-age=${YEAR_S}`);
}
