// What every answer tells a browser to keep to: https://owasp.org/www-project-secure-headers/
import type { ServerResponse } from "node:http";

const YEAR_S = 365 * 24 * 60 * 60;

/** Of an answer that is data: nothing runs in it, nobody frames it, and nobody keeps it. What is more than data says what else it may do. */
const HEADERS = [
	["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"],
	["Cache-Control", "no-store"],
	["X-Content-Type-Options", "nosniff"],
	["Referrer-Policy", "no-referrer"],
	["Cross-Origin-Opener-Policy", "same-origin"],
	["Cross-Origin-Resource-Policy", "same-origin"],
	["Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"]
] as const;

/** The same as lines of HTTP, for answers that are written without a response. */
export const SECURITY_HEADER_LINES = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join("");

/** `isSecure`: the client came by TLS, and is told to do so for a year. Over plain HTTP a browser must not believe it (RFC 6797, 8.1). */
export function setSecurityHeaders(res: ServerResponse, isSecure: boolean) {
	for (const [name, value] of HEADERS) res.setHeader(name, value);
	if (isSecure) res.setHeader("Strict-Transport-Security", `max-age=${YEAR_S}`);
}
