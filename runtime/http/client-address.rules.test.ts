import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientOf, siteOf, trustedProxies } from "./client-address.ts";

const client = (remoteAddress: string | undefined, forwarded: Record<string, string> = {}, proxies: string[] = []) =>
	clientOf({ socket: { remoteAddress }, headers: forwarded } as Parameters<typeof clientOf>[0], trustedProxies(proxies));
const addressOf = (remote: string | undefined, forwardedFor?: string, proxies?: string[]) =>
	client(remote, forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }, proxies).address;

describe("a client's address", () => {
	it("is the peer's address when the peer is no trusted proxy, whatever its headers say", () => {
		assert.deepEqual(client("192.0.2.1", { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" }), {
			address: "192.0.2.1",
			isSecure: false
		});
		assert.equal(addressOf("192.0.2.1", "203.0.113.7", ["10.0.0.0/8"]), "192.0.2.1");
	});

	it("is the last address in X-Forwarded-For that is no trusted proxy", () => {
		const proxies = ["10.0.0.0/8", "192.0.2.1", "fd00::/8"];
		for (const [remote, forwardedFor, expected] of [
			["10.1.2.3", "203.0.113.7", "203.0.113.7"],
			["192.0.2.1", "203.0.113.7", "203.0.113.7"],
			["192.0.2.2", "203.0.113.7", "192.0.2.2"],
			["10.1.2.3", "203.0.113.7, 10.9.9.9", "203.0.113.7"],
			["10.1.2.3", "6.6.6.6, 203.0.113.7,fd00::1 ,  10.9.9.9", "203.0.113.7"],
			["10.1.2.3", "6.6.6.6, 10.5.5.5, 203.0.113.7", "203.0.113.7"],
			["10.1.2.3", "10.9.9.9, 10.8.8.8", "10.9.9.9"],
			["::ffff:10.1.2.3", "::ffff:203.0.113.7", "203.0.113.7"],
			["10.1.2.3", "203.0.113.7:51234", "203.0.113.7"],
			["10.1.2.3", "[2001:db8:1:2::3]:443", "2001:db8:1:2::/64"]
		] as const)
			assert.equal(addressOf(remote, forwardedFor, proxies), expected, `${remote} ${forwardedFor}`);
	});

	it("is the nearest proxy's when its entry is not an address", () => {
		for (const forwardedFor of ["", "unknown", "203.0.113.7, unknown", "203.0.113.7,", "999.1.1.1", "<script>", "1.2.3.4, ::x"])
			assert.equal(addressOf("10.1.2.3", forwardedFor, ["10.0.0.0/8"]), "10.1.2.3", forwardedFor);
		assert.equal(addressOf("10.1.2.3", undefined, ["10.0.0.0/8"]), "10.1.2.3");
	});

	it("has one canonical form", () => {
		for (const written of ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
			assert.equal(addressOf(written), "192.0.2.1", written);
	});

	it("is the /64 network of an IPv6 address", () => {
		for (const [written, network] of [
			["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
			["2001:db8:1:2::9", "2001:db8:1:2::/64"],
			["2001:0DB8:0001:0002:0000::", "2001:db8:1:2::/64"],
			["2001:db8::1", "2001:db8:0:0::/64"],
			["2001:db8:1:3::9", "2001:db8:1:3::/64"],
			["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
			["fe80::1%eth0", "fe80:0:0:0::/64"],
			["::1", "0:0:0:0::/64"],
			["::", "0:0:0:0::/64"]
		] as const)
			assert.equal(addressOf(written), network, written);
	});

	it("belongs to a site: the /48 network of IPv6, and the address itself of IPv4", () => {
		for (const [written, site] of [
			["2001:db8:1:2::9", "2001:db8:1::/48"],
			["2001:db8:1:ffff::9", "2001:db8:1::/48"],
			["2001:db8:2:2::9", "2001:db8:2::/48"],
			["::1", "0:0:0::/48"],
			["192.0.2.1", "192.0.2.1"],
			["::ffff:192.0.2.1", "192.0.2.1"]
		] as const)
			assert.equal(siteOf(addressOf(written)), site, written);
		assert.equal(siteOf("inside"), "inside");
	});

	it("is empty when the peer has closed the connection", () => assert.equal(addressOf(undefined), ""));
});

describe("whether a client used TLS", () => {
	const isSecure = (protocol: string, forwardedFor = "203.0.113.7", remote = "10.1.2.3") =>
		client(remote, { "x-forwarded-for": forwardedFor, "x-forwarded-proto": protocol }, ["10.0.0.0/8"]).isSecure;

	it("is what the trusted proxy reports", () => {
		assert.equal(isSecure("https"), true);
		assert.equal(isSecure("HTTPS"), true);
		assert.equal(isSecure("http"), false);
		assert.equal(isSecure(""), false);
		assert.equal(isSecure("https", "203.0.113.7", "192.0.2.2"), false);
	});

	it("is what the proxy next to the client reports, where each proxy appends its own value", () => {
		assert.equal(isSecure("https, http", "203.0.113.7, 10.9.9.9"), true);
		assert.equal(isSecure("http, https", "203.0.113.7, 10.9.9.9"), false);
		assert.equal(isSecure("https, http", "203.0.113.7"), false);
		assert.equal(isSecure("https", "203.0.113.7, 10.9.9.9"), true);
	});
});
