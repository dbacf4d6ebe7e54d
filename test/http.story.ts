// The HTTP API: statuses, the common shape of errors, request ids, health and metrics.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Answer, fresh, httpClient } from "./client.ts";
import { BAD_ID_TYPES, BAD_IDS } from "./ids.ts";
import type { System } from "./system.ts";

export const WRITES = ["/api/selections/async", "/api/selections/synchronization", "/api/purchases"];

/** Asserts the common shape of an error, and that it reveals no internals. */
export function assertError(answer: Pick<Answer, "status" | "json" | "text">, status: number, type?: string, about?: string) {
	assert.equal(answer.status, status, `${about ?? ""} ${answer.text}`);
	const keys = new Set([...Object.keys(answer.json), "data"]);
	assert.deepEqual([...keys].sort(), ["code", "data", "message", "name", "type"], `${about ?? ""} ${answer.text}`);
	assert.equal(answer.json.code, status);
	for (const key of ["name", "message", "type"]) assert.equal(typeof answer.json[key], "string", `${key} of ${answer.text}`);
	if (type) assert.equal(answer.json.type, type);
	assert.doesNotMatch(answer.text, /node_modules|\.[tj]s:\d+|nodeID|localhost:\d/, "the error reveals internals");
}

export const httpStory = (plaza: () => System) =>
	describe("the HTTP API", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);

		it("answers 400 if the body is not JSON", async () => {
			for (const path of WRITES)
				for (const body of ["{", "{'a':1}", '{"a":NaN}']) assertError(await http().post(path, body), 400, undefined, body);
		});

		it("answers 400 if the body is not UTF-8: an id decoded with U+FFFD would be another id", async () => {
			const bytes = Buffer.concat([Buffer.from('{"user_id":"'), Buffer.from([0xff]), Buffer.from('"}')]);
			assertError(await http().post(WRITES[1] as string, new Uint8Array(bytes)), 400);
		});

		it("answers 400 if the body nests deeper than 32, before it is parsed", async () => {
			const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
			for (const path of WRITES) {
				assertError(await http().post(path, deep(33)), 400, "UNREADABLE_JSON");
				assertError(await http().post(path, "[".repeat(60_000)), 400, "UNREADABLE_JSON");
				assertError(await http().post(path, deep(32)), 422, "VALIDATION_ERROR");
			}
			assert.equal((await http().post(WRITES[1] as string, { user_id: `${"[".repeat(40)}"` })).status, 202);
		});

		it("ignores prototype properties in a body", async () => {
			for (const body of [
				'{"__proto__":{"user_id":"u","amount":1}}',
				'{"constructor":{"prototype":{"user_id":"u","amount":1}}}',
				'{"__proto__":{"toString":1},"constructor":1}'
			]) {
				const answer = await http().post("/api/purchases", body);
				assertError(answer, 422, "VALIDATION_ERROR", body);
				const fields = answer.json.data.map(({ field }: { field: string }) => field);
				for (const field of ["amount", "user_id"]) assert.ok(fields.includes(field), `${body}: ${fields}`);
			}
			assertError(await http().post("/api/purchases", {}), 422, "VALIDATION_ERROR");
		});

		it("answers 415 if the content type is not JSON", async () => {
			for (const path of WRITES) {
				for (const type of [
					"text/plain",
					"application/x-www-form-urlencoded",
					"multipart/form-data; boundary=x",
					"application/octet-stream"
				]) {
					assertError(
						await http().post(path, '{"user_id":"u","amount":1,"name":"a","id":"i"}', { "content-type": type }),
						415,
						undefined,
						`${path} ${type}`
					);
				}
			}
		});

		it("gives every error all five fields", async () => {
			const answers = [
				await http().get("/nothing"),
				await http().post("/api/purchases", "{"),
				await http().post("/api/purchases", {})
			];
			for (const { json } of answers) assert.deepEqual(Object.keys(json).sort(), ["code", "data", "message", "name", "type"]);
		});

		it("accepts JSON with a charset parameter", async () => {
			const body = { user_id: fresh("user") };
			assert.equal(
				(await http().post(WRITES[1] as string, body, { "content-type": "application/json; charset=utf-8" })).status,
				202
			);
		});

		it("answers 415 if the charset is not UTF-8, which may be written utf8", async () => {
			const body = `{"user_id":"${fresh("user")}+b-c"}`;
			for (const charset of ["utf-7", "utf-16", "utf-16le", "utf-32be", "iso-8859-1"]) {
				const answer = await http().post(WRITES[1] as string, body, { "content-type": `application/json; charset=${charset}` });
				assertError(answer, 415, "UNSUPPORTED_MEDIA_TYPE", charset);
			}
			for (const charset of ["utf8", "UTF8", '"utf-8"'])
				assert.equal(
					(await http().post(WRITES[1] as string, body, { "content-type": `application/json;charset=${charset}` })).status,
					202,
					charset
				);
		});

		it("answers 400 to a byte order mark", async () => {
			const answer = await http().post(WRITES[1] as string, '\ufeff{"user_id":"u"}');
			assertError(answer, 400, "UNREADABLE_JSON");
			assert.match(answer.json.message, /byte order mark/);
		});

		it("answers 400 to more than 2,000 values, before they are parsed", async () => {
			for (const path of WRITES) {
				assertError(await http().post(path, `{"a":[${"0,".repeat(1_998)}0]}`), 400, "UNREADABLE_JSON", path);
				assertError(await http().post(path, `{"a":[${"0,".repeat(1_997)}0]}`), 422, "VALIDATION_ERROR", path);
			}
		});

		it("lists ten field errors at most and says that there are more", async () => {
			const fields = Object.fromEntries(Array.from({ length: 1_900 }, (_, n) => [`${"x".repeat(20)}${n}`, 0]));
			for (const path of WRITES) {
				const answer = await http().post(path, { ...fields, ["y".repeat(200)]: 0 });
				assertError(answer, 422, "VALIDATION_ERROR", path);
				assert.equal(answer.json.data.length, 10);
				assert.match(answer.json.message, /; and more$/);
				assert.ok(answer.text.length < 3_000, `an answer of ${answer.text.length} characters`);
			}
		});

		it("answers 422 to names and texts that would be stored otherwise than they were sent", async () => {
			for (const [body, field] of [
				['{"user_id":"u","a":{"b":"\\ud800"}}', "a.b"],
				['{"items":[],"shippingAddress":{"__proto__":"x"}}', "shippingAddress.__proto__"],
				['{"items":[],"shippingAddress":{"\\u005f_proto__":"x"}}', "shippingAddress.__proto__"]
			] as const)
				for (const path of [...WRITES, "/api/orders"]) {
					const answer = await http().post(path, body);
					assertError(answer, 422, "VALIDATION_ERROR", `${path} ${body}`);
					assert.deepEqual(
						answer.json.data.map((error: { field: string }) => error.field),
						[field]
					);
				}
		});

		it("answers 413 if the body is too large", async () => {
			for (const path of WRITES)
				assertError(await http().post(path, { user_id: "u", more: "x".repeat(2 * 1024 * 1024) }), 413, undefined, path);
		});

		it("answers 422 and lists each invalid field", async () => {
			const cases: [path: string, body: unknown, fields: string[]][] = [
				["/api/selections/async", {}, ["id", "name", "user_id"]],
				["/api/selections/async", { name: "a", id: "", user_id: "u" }, ["id"]],
				["/api/selections/async", { name: "nobody configured this", id: fresh(), user_id: "u" }, ["name"]],
				["/api/selections/async", { name: "", id: fresh(), user_id: "u" }, ["name"]],
				["/api/selections/async", { name: "__proto__", id: fresh(), user_id: "u" }, ["name"]],
				["/api/selections/synchronization", {}, ["user_id"]],
				["/api/purchases", {}, ["amount", "user_id"]]
			];
			for (const id of [...BAD_IDS, ...BAD_ID_TYPES]) {
				const name = plaza().selectionNames[0];
				cases.push(
					["/api/selections/async", { name, id, user_id: "u" }, ["id"]],
					["/api/selections/async", { name, id: fresh(), user_id: id }, ["user_id"]]
				);
				cases.push(
					["/api/selections/synchronization", { user_id: id }, ["user_id"]],
					["/api/purchases", { user_id: id, amount: 1 }, ["user_id"]]
				);
			}
			for (const [path, body, fields] of cases) {
				const about = `${path} ${JSON.stringify(body)}`;
				const answer = await http().post(path, body as object);
				assertError(answer, 422, "VALIDATION_ERROR", about);
				const named = answer.json.data.map(({ field, message }: { field: string; message: string }) => {
					assert.equal(typeof message, "string");
					return field;
				});
				assert.deepEqual(named.sort(), fields, about);
			}
			for (const body of ["[]", "1", '"text"', "null", "[1]"]) {
				const { status, text } = await http().post("/api/purchases", body);
				assert.ok(status === 400 || status === 422, `${body}: ${status} ${text}`);
			}
		});

		it("answers 422 for a wallet with an invalid user id", async () => {
			for (const id of BAD_IDS.filter(id => id !== "" && id.isWellFormed())) {
				assertError(await http().get(`/api/wallet/${encodeURIComponent(id)}`), 422, "VALIDATION_ERROR", JSON.stringify(id));
			}
		});

		it("gives every response a request id, and returns the id that the client sent", async () => {
			const paths = ["/index.html", "/selections", "/nothing", "/health", "/health/live", `/api/wallet/${fresh()}`];
			const answers = await Promise.all(paths.map(path => http().get(path)));
			answers.push(await http().post("/api/purchases", {}), await http().post("/api/purchases", "{"));
			const ids = answers.map(({ headers }) => headers.get("x-request-id"));
			assert.ok(
				ids.every(id => id),
				`${ids}`
			);
			assert.equal(new Set(ids).size, ids.length);
			for (const path of [...paths]) {
				const id = fresh("request");
				assert.equal((await http().get(path, { "x-request-id": id })).headers.get("x-request-id"), id, path);
			}
			const id = fresh("request");
			assert.equal((await http().post("/api/purchases", "{", { "x-request-id": id })).headers.get("x-request-id"), id);
		});

		it("reports health, liveness and readiness", async () => {
			const { status, json } = await http().get("/health");
			assert.equal(status, 200);
			assert.deepEqual(Object.keys(json).sort(), ["checks", "status"]);
			assert.equal(json.status, "ok");
			assert.ok(Object.keys(json.checks).length > 0);
			for (const [what, state] of Object.entries(json.checks)) assert.equal(state, "ok", what);
			for (const path of ["/health/live", "/health/ready"]) assert.equal((await http().get(path)).status, 200, path);
			for (const url of plaza().metricsUrls) {
				for (const path of ["/health", "/health/live", "/health/ready"])
					assert.equal((await httpClient(url).get(path)).status, 200, url + path);
			}
		});

		it("reports the metrics of every node as Prometheus text", async () => {
			for (const url of plaza().metricsUrls) {
				const { status, headers, text } = await httpClient(url).get("/metrics");
				assert.equal(status, 200);
				assert.match(headers.get("content-type") ?? "", /^text\/plain/);
				assert.match(text, /^# TYPE [a-zA-Z_:][\w:]* (counter|gauge|histogram|summary|untyped)$/m);
				for (const line of text.split("\n"))
					assert.match(line, /^$|^# (HELP|TYPE) |^[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.]+([eE][+-]?\d+)?|NaN|[+-]?Inf)( \d+)?$/, url);
			}
		});
	});
