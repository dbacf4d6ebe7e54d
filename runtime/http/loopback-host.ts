// DNS rebinding: a foreign page can let its own host name resolve to 127.0.0.1, and its script then reads what this machine serves there.
import { isIP } from "node:net";

/** The name or address in a Host header, in lower case, without port and brackets. */
const hostOf = (header: string) => {
	const bare = header.toLowerCase().replace(/:\d*$/, "");
	return bare.startsWith("[") && bare.endsWith("]") ? bare.slice(1, -1) : bare;
};

/** Whether an address or name, in lower case, is this machine's own. `127.example.org` is an ordinary host name. */
export const isLoopback = (host: string) =>
	host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

/**
 * Whether a server that listens on `listenHost` may answer a request with this Host header. If `listenHost` is loopback, only for `localhost`, a loopback
 * address and `listenHost` itself; otherwise for every name, because other machines may reach this one under any name. A client without the header
 * (HTTP/1.0) is not a browser.
 */
export function isHostAllowed(header: string | undefined, listenHost: string): boolean {
	if (header === undefined || !isLoopback(listenHost.toLowerCase())) return true;
	const host = hostOf(header);
	return isLoopback(host) || host === listenHost.toLowerCase();
}
