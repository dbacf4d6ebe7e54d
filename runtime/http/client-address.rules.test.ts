import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientOf, trustedProxies } from "./client-address.ts";

const client = (remoteAddress: string | undefined, forwarded: Record<string, string> = {}, proxies: string[] = []) =>
	clientOf({ socket: { remoteAddress }, headers: forwarded } as Parameters<typeof clientOf>[0], trustedProxies(proxies));
const addressOf = (remote: string | undefined, forwardedFor?: string, proxies?: string[]) =>
	client(remote, forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }, proxies).address;

describe("a client's address", () => {
	it("is the peer's own, whatever it says of itself", () => {
		assert.deepEqual(client("192.0.2.1", { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" }), {
			address: "192.0.2.1",
			isSecure: false
		});
		assert.equal(addressOf("192.0.2.1", "203.0.113.7", ["10.0.0.0/8"]), "192.0.2.1");
	});

	it("is the last that no trusted proxy has, where trusted proxies say it", () => {
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

	it("is the nearest proxy's where what that says is no address", () => {
		for (const forwardedFor of ["", "unknown", "203.0.113.7, unknown", "203.0.113.7,", "999.1.1.1", "<script>", "1.2.3.4, ::x"])
			assert.equal(addressOf("10.1.2.3", forwardedFor, ["10.0.0.0/8"]), "10.1.2.3", forwardedFor);
		assert.equal(addressOf("10.1.2.3", undefined, ["10.0.0.0/8"]), "10.1.2.3");
	});

	it("is one, however it is written", () => {
		for (const written of ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
			assert.equal(addressOf(written), "192.0.2.1", written);
	});

	it("is the /64 network of IPv6", () => {
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

	it("is empty of a peer that has hung up", () => assert.equal(addressOf(undefined), ""));
});

describe("whether a client came by TLS", () => {
	const isSecure = (protocol: string, forwardedFor = "203.0.113.7", remote = "10.1.2.3") =>
		client(remote, { "x-forwarded-for": forwardedFor, "x-forwarded-proto": protocol }, ["10.0.0.0/8"]).isSecure;

	it("is what the trusted proxy says", () => {
		assert.equal(isSecure("https"), true);
		assert.equal(isSecure("HTTPS"), true);
		assert.equal(isSecure("http"), false);
		assert.equal(isSecure(""), false);
		assert.equal(isSecure("https", "203.0.113.7", "192.0.2.2"), false);
	});

	it("is what the proxy that heard the client says, where each says its own", () => {
		assert.equal(isSecure("https, http", "203.0.113.7, 10.9.9.9"), true);
		assert.equal(isSecure("http, https", "203.0.113.7, 10.9.9.9"), false);
		assert.equal(isSecure("https, http", "203.0.113.7"), false);
		assert.equal(isSecure("https", "203.0.113.7, 10.9.9.9"), true);
	});
});
