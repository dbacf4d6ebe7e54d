/**
 * The client of a request: the peer of the connection, or the address that trusted proxies report in X-Forwarded-For.
 *
 *     const trusted = trustedProxies(["10.0.0.0/8", "fd00::/8"]);
 *     const { address, isSecure } = clientOf(req, trusted);        // { address: "203.0.113.7", isSecure: true }
 */
import { createHmac, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BlockList, isIP, type Socket } from "node:net";

export interface Client {
	/** Identifies a client: an IPv4 address, or the /64 network of an IPv6 address, which belongs to one client as a whole. */
	address: string;
	/** Whether the client used TLS, up to the proxy that terminated it. */
	isSecure: boolean;
}

/** Whether an address belongs to one of our proxies. */
export type Trusted = (address: string) => boolean;

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Matches proxies by address or by network (`10.0.0.0/8`). */
export function trustedProxies(networks: readonly string[]): Trusted {
	if (networks.length === 0) return () => false;
	const list = new BlockList();
	for (const network of networks) {
		const [address = "", bits] = network.split("/");
		if (bits === undefined) list.addAddress(address, familyOf(address));
		else list.addSubnet(address, Number(bits), familyOf(address));
	}
	return address => isIP(address) > 0 && list.check(address, familyOf(address));
}

/** The eight groups of an IPv6 address in hexadecimal, without leading zeros (RFC 4291, 2.2). */
function groupsOf(address: string): string[] {
	const [head = "", tail] = address.split("::");
	const read = (part = "") =>
		part
			.split(":")
			.filter(Boolean)
			.flatMap(group => {
				if (!group.includes(".")) return [Number.parseInt(group, 16)];
				const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
				return [a * 256 + b, c * 256 + d];
			});
	const [first, last] = [read(head), read(tail)];
	const zeros = new Array<number>(8 - first.length - last.length).fill(0);
	return [...first, ...zeros, ...last].map(group => group.toString(16));
}

/** The address without its zone; an IPv4-mapped IPv6 address (::ffff:192.0.2.1) becomes the IPv4 address. */
function canonical(address: string): string {
	if (!address.includes(":")) return address;
	const [bare = ""] = address.split("%", 1);
	const groups = groupsOf(bare);
	if (groups.slice(0, 6).join(":") !== "0:0:0:0:0:ffff") return bare;
	const [high = 0, low = 0] = groups.slice(6).map(group => Number.parseInt(group, 16));
	return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

const networkOf = (address: string) => (address.includes(":") ? `${groupsOf(address).slice(0, 4).join(":")}::/64` : address);

/**
 * The site of a client's address: the /48 network of an IPv6 address; an IPv4 address is its own site. Providers give a customer a network between /48
 * and /64 (RFC 6177), so a site may be many customers: use it only for a second, wider limit in addition to that of the address.
 */
export const siteOf = (address: string) => (address.endsWith("::/64") ? `${address.split(":", 3).join(":")}::/48` : address);

const entriesOf = (header: string | string[] | undefined) =>
	header === undefined
		? []
		: String(header)
				.split(",")
				.map(entry => entry.trim());

/** The address of a connection's peer, as `clientOf` writes it, and whether it is one of our proxies. */
export function peerOf({ remoteAddress = "" }: Pick<Socket, "remoteAddress">, isTrusted: Trusted) {
	const address = canonical(remoteAddress);
	return { address: networkOf(address), isProxy: isTrusted(address) };
}

/** The address in an X-Forwarded-For entry, which some proxies write with a port; undefined if it is not an address. */
function addressIn(entry: string): string | undefined {
	const bare = /^\[(.+)\](:\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
	return isIP(bare) > 0 ? canonical(bare) : undefined;
}

/**
 * Each proxy appends the address of its peer to X-Forwarded-For, so the header is read from its end: the first address that is not a trusted
 * proxy is the client. Entries before it can be forged. X-Forwarded-Proto is read in the same way.
 */
export function clientOf({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">, isTrusted: Trusted): Client {
	let address = canonical(socket.remoteAddress ?? "");
	if (!isTrusted(address)) return { address: networkOf(address), isSecure: false };
	let hops = 1;
	const entries = entriesOf(headers["x-forwarded-for"]);
	for (let at = entries.length - 1; at >= 0; at--) {
		const before = addressIn(entries[at] as string);
		if (before === undefined) break;
		address = before;
		if (!isTrusted(address)) break;
		hops++;
	}
	// Most proxies replace X-Forwarded-Proto instead of appending to it: then there is one value.
	const protocols = entriesOf(headers["x-forwarded-proto"]);
	return { address: networkOf(address), isSecure: (protocols.at(-hops) ?? protocols[0])?.toLowerCase() === "https" };
}

const LOG_KEY = randomBytes(32);

/** A pseudonym of an address for log lines. It is the same in all lines of this process, and no personal data: only this process has the key. */
export const logNameOf = (address: string): string => createHmac("sha256", LOG_KEY).update(address).digest("hex").slice(0, 12);
