import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectErrorKind, reasonOf } from "./connect-error.ts";
import { unavailable } from "./errors.ts";

const failure = (message: string, more: object = {}) => Object.assign(new Error(message), more);
const named = (name: string, message: string, more: object = {}) => failure(message, { name, ...more });

describe("the kind and the reason of a connect error", () => {
	const cases: [of: string, error: Error, kind: ReturnType<typeof connectErrorKind>, reason: string][] = [
		["node: an unknown authority", failure("self-signed", { code: "SELF_SIGNED_CERT_IN_CHAIN" }), "certificate", "self-signed"],
		["node: another host's", failure("altnames", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }), "certificate", "altnames"],
		["node: an expired certificate", failure("expired", { code: "CERT_HAS_EXPIRED" }), "certificate", "expired"],
		["pg: a wrong password", failure("password", { code: "28P01" }), "credentials", "password"],
		[
			"ioredis: a wrong password, below the error of a command",
			unavailable("Redis", failure("WRONGPASS no")),
			"credentials",
			"WRONGPASS no"
		],
		[
			"kafkajs: a wrong password, wrapped at every retry",
			failure("retries exceeded", { cause: named("KafkaJSSASLAuthenticationError", "SASL failed") }),
			"credentials",
			"SASL failed"
		],
		[
			"cassandra-driver: a wrong password, on every host",
			named("NoHostAvailableError", "All hosts\n at …", { innerErrors: { "h:1": named("AuthenticationError", "wrong\n at …") } }),
			"credentials",
			"wrong"
		],
		["node: nothing listens, on both of its addresses", new AggregateError([failure("ECONNREFUSED")]), undefined, "ECONNREFUSED"],
		["pg: no such table", failure("no table", { code: "42P01" }), undefined, "no table"]
	];
	for (const [of, error, kind, reason] of cases)
		it(`are read from the error of ${of}`, () => {
			assert.equal(connectErrorKind(error), kind);
			assert.equal(reasonOf(error), reason);
		});
});
