import type { IncomingMessage } from "node:http";

/** Whether a request may come from where it comes from: no Origin (not a browser), our own, or one of the list. */
export function isAllowedOrigin({ headers }: Pick<IncomingMessage, "headers">, allowed: readonly string[]): boolean {
	const { origin, host } = headers;
	if (origin === undefined) return true;
	if (allowed.includes(origin)) return true;
	return URL.canParse(origin) && new URL(origin).host === host;
}
