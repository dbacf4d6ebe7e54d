import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { redact } from "./redact.ts";
import { RedactingConsole } from "./redacting-console.ts";

const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhY2N0XzEifQ.c2ln-bmF0dXJl_";

describe("a printed text", () => {
	const cases: [name: string, text: string, printed: string][] = [
		["a token", `who has ${jwt}?`, "who has [secret]?"],
		["a truncated token", `who has ${jwt.split(".", 2).join(".")}?`, "who has [secret]?"],
		["a bearer token of another issuer", "authorization: Bearer s3cret+/=", "authorization: Bearer [secret]"],
		["a token in a cookie", `refreshToken=${jwt}; Path=/`, "refreshToken=[secret]; Path=/"],
		["an e-mail address", "no letter to Ann.O'Hara+shop@mail.example.org.", "no letter to Ann.O'[e-mail]."],
		["an e-mail address in an error of Postgres", "Key (email)=(ann@example.org) exists", "Key (email)=([e-mail]) exists"],
		["an e-mail address in other scripts", "Анна@пример.рф, 例@例え.テスト", "[e-mail], [e-mail]"],
		["the credentials in a URL", "postgres://shop:p@ss:1@db:5432/shop?a=b", "postgres://[secret]@db:5432/shop?a=b"],
		["a password without a user name in a URL", "rediss://:hunter2@cache", "rediss://[secret]@cache"],
		[
			"secret fields of a JSON text",
			`{"email":"a b","password":"hunter\\"2","n":1}`,
			`{"email":"a b","password":"[secret]","n":1}`
		],
		["secret fields of JSON quoted in JSON", String.raw`"{\"refreshToken\":\"x.y\"}"`, String.raw`"{\"refreshToken\":\"[secret]"`]
	];
	for (const [name, text, printed] of cases) it(`does not show ${name}`, () => assert.equal(redact(text), printed));

	it("is unchanged where a text only resembles a secret", () => {
		for (const text of [
			"topics at /data/plaza, user postgres@db, @grpc/grpc-js@1.14.7",
			"an outdated refresh token was used: its session is over",
			"Needs authorization: Bearer <token>",
			"http://localhost:8080/a?b=c@d",
			"eyJ, the beginning of a token"
		])
			assert.equal(redact(text), text);
	});

	it("is redacted in a time linear in its length", () => {
		const took = (text: string) => {
			const startedAtMs = performance.now();
			redact(`${text} @ bearer token`);
			return performance.now() - startedAtMs;
		};
		// Quadratic time would take minutes.
		for (const part of ["a", "a.", "eyJ", "eyJ.", "://", "@", "a@", "bearer ", `"password":"`, `\\"`, "é"])
			assert.ok(took(part.repeat(500_000 / part.length)) < 5_000, part);
	});
});

describe("a log line", () => {
	const lines = (...args: unknown[]) => {
		const printed: unknown[][] = [];
		const { log, error } = console;
		console.log = console.error = (...parts) => void printed.push(parts);
		try {
			const logger = new RedactingConsole({ level: "debug", colors: false, formatter: "simple" });
			const broker = new ServiceBroker({ logger, nodeID: "n", skipProcessEventRegistration: true });
			printed.length = 0;
			broker.logger.info(...args);
			return printed.map(parts => parts.join(" "));
		} finally {
			Object.assign(console, { log, error });
		}
	};

	it("keeps the format of Moleculer's logger", () =>
		assert.deepEqual(lines("published", { topic: "Selections", requestID: "r", nested: { n: [1, 2] } }, 3), [
			"INFO  - published { topic: 'Selections', requestID: 'r', nested: { n: [ 1, 2 ] } } 3"
		]));

	it("redacts secret fields of every type, at every printed level", () => {
		const secret = { password: "hunter2", a: { refreshToken: 7, b: [{ "Set-Cookie": ["a=b"], secret: Buffer.from("x") }] } };
		assert.deepEqual(lines("got", secret), [
			"INFO  - got { password: '[secret]', a: { refreshToken: '[secret]', b: [ [Object] ] } }"
		]);
		assert.deepEqual(lines({ list: [{ token: "x", ok: 1 }] }), ["INFO  - { list: [ { token: '[secret]', ok: 1 } ] }"]);
		assert.equal(secret.password, "hunter2");
	});

	it("redacts the secret fields of an error and of its cause, and prints the rest", () => {
		const cause = Object.assign(new TypeError("ann@example.org is taken"), { token: "t0ken" });
		const error = Object.assign(new Error(`Bearer ${jwt}`, { cause }), { code: 7, authorization: "Basic x" });
		const [line] = lines(error);
		for (const hidden of ["ann@", "t0ken", "eyJ", "Basic x"]) assert.ok(!line!.includes(hidden), line);
		for (const printed of [
			"Error: Bearer [secret]",
			"redact.test.ts",
			"code: 7",
			"TypeError: [e-mail] is taken",
			"token: '[secret]'"
		])
			assert.ok(line!.includes(printed), line);
	});

	it("handles circular references and calls no getter", () => {
		const self: Record<string, unknown> = { token: "x" };
		self.self = self;
		Object.defineProperty(self, "asked", { enumerable: true, get: () => assert.fail("asked") });
		assert.match(lines(self)[0]!, /token: '\[secret\]'.*asked: \[Getter\]/);
		assert.doesNotMatch(lines(self)[0]!, /'x'/);
	});
});
