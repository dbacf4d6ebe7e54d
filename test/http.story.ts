// The HTTP door: statuses, the one shape of errors, what is served, and that nothing else can be reached.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocket } from "./client.socket.ts";
import { type Answer, fresh, httpClient, rawRequest } from "./client.ts";
import { BAD_ID_TYPES, BAD_IDS } from "./ids.ts";
import { ownName, type System } from "./system.ts";

const WRITES = ["/api/selections/async", "/api/selections/synchronization", "/api/purchases"];

/** Paths behind which something of Moleculer's, of ours or of the disk would lie if a door were left open. */
const INNER = [
	...[
		"/api/~node/list",
		"/api/~node/services",
		"/~node/list",
		"/$node/list",
		"/api/$node/list",
		"/api/%24node/list",
		"/%24node/services"
	],
	...["/api/list-aliases", "/list-aliases", "/api/api/listAliases", "/api/listAliases", "/api.listAliases"],
	...[
		"/socket.deliver",
		"/api/socket.deliver",
		"/socket/deliver",
		"/api/socket/deliver",
		"/api/summary/raise",
		"/summary.raise",
		"/summary/list"
	],
	...[
		"/api/purchase/total",
		"/purchase.total",
		"/purchase/create",
		"/api/purchase.create",
		"/api/health/report",
		"/health/report",
		"/health/nothing",
		"/health.report"
	],
	...[
		"/api/selections/pick",
		"/selections/pick",
		"/selections.pick",
		"/api/wallet.getBalance",
		"/api/wallet",
		"/api/wallet/",
		"/api",
		"/api/",
		"/nothing"
	],
	...[
		"/start.ts",
		"/package.json",
		"/.git/config",
		"/config.ts",
		"/public/index.html",
		"/metrics",
		"/api/metrics",
		"/node_modules/ws/package.json"
	]
];

const TRAVERSALS = [
	...[
		"/../package.json",
		"/..%2fpackage.json",
		"/%2e%2e/package.json",
		"/%2e%2e%2fpackage.json",
		"/.%2e/package.json",
		"/..%5cpackage.json"
	],
	...[
		"/index.html/../../package.json",
		"/a/../../package.json",
		"/..%252fpackage.json",
		"//etc/passwd",
		"/%2fetc%2fpasswd",
		"/..%c0%afpackage.json"
	],
	...["/index.html%00", "/index.html%00.txt", "/.git/HEAD", "/....//package.json", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"]
];

/** The one shape of an error, and nothing of our insides in it. */
export function isError(answer: Pick<Answer, "status" | "json" | "text">, status: number, type?: string, about?: string) {
	assert.equal(answer.status, status, `${about ?? ""} ${answer.text}`);
	const keys = new Set([...Object.keys(answer.json), "data"]);
	assert.deepEqual([...keys].sort(), ["code", "data", "message", "name", "type"], `${about ?? ""} ${answer.text}`);
	assert.equal(answer.json.code, status);
	for (const key of ["name", "message", "type"]) assert.equal(typeof answer.json[key], "string", `${key} of ${answer.text}`);
	if (type) assert.equal(answer.json.type, type);
	assert.doesNotMatch(answer.text, /node_modules|\.[tj]s:\d+|nodeID|localhost:\d/, "something of the inside got out");
}

export const httpStory = (plaza: () => System) =>
	describe("the HTTP door", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);

		it("serves the page with an ETag, and answers 304 to who has it", async () => {
			for (const path of ["/index.html", "/"]) {
				const { status, headers, text } = await http().get(path);
				assert.equal(status, 200);
				assert.match(headers.get("content-type") ?? "", /^text\/html/);
				assert.match(text, /selection results via socket/);
				const etag = headers.get("etag");
				assert.ok(etag, "no ETag");
				// Not by `fetch`, which adds "no-cache" to a condition of one's own.
				const again = (tag: string) => rawRequest(plaza().url, "GET", path, { "if-none-match": tag });
				assert.deepEqual([(await again(etag)).status, (await again('"another"')).status], [304, 200]);
			}
		});

		it("answers HEAD of the page like GET without the body", async () => {
			const { status, headers, text } = await http().send("HEAD", "/index.html");
			assert.deepEqual([status, text], [200, ""]);
			assert.match(headers.get("content-type") ?? "", /^text\/html/);
		});

		it("answers 404 for everything that is not listed", async () => {
			for (const path of INNER) {
				for (const method of ["GET", "POST"]) {
					const answer = await http().send(
						method,
						path,
						{ "content-type": "application/json" },
						method === "POST" ? "{}" : undefined
					);
					isError(answer, 404, undefined, `${method} ${path}`);
				}
			}
			for (const path of WRITES) isError(await http().get(path), 404, undefined, `GET ${path}`);
			for (const method of ["PUT", "PATCH", "DELETE", "POST"]) {
				const answer = await http().send(
					method,
					"/selections",
					{ "content-type": "application/json" },
					'[{"name":"a","count":1000}]'
				);
				isError(answer, 404, undefined, `${method} /selections`);
			}
		});

		it("lets no path out of the public folder", async () => {
			for (const path of TRAVERSALS) {
				const { status, text } = await rawRequest(plaza().url, "GET", path);
				assert.ok(status === 404 || status === 400, `${path}: ${status} ${text.slice(0, 200)}`);
				assert.doesNotMatch(text, /"dependencies"|root:/, path);
			}
		});

		it("takes a path that is badly encoded as a mistake of the client's", async () => {
			for (const path of ["/%", "/%zz", "/api/wallet/%", "/api/wallet/%e0%a4%a"]) {
				const { status, text } = await rawRequest(plaza().url, "GET", path);
				assert.ok(status === 400 || status === 404, `${path}: ${status} ${text}`);
			}
		});

		it("answers 400 where the body is no JSON", async () => {
			for (const path of WRITES)
				for (const body of ["{", "{'a':1}", '{"a":NaN}']) isError(await http().post(path, body), 400, undefined, body);
		});

		it("answers 400 where the body is no UTF-8: an id read with U+FFFD in it would be another one's", async () => {
			const bytes = Buffer.concat([Buffer.from('{"user_id":"'), Buffer.from([0xff]), Buffer.from('"}')]);
			isError(await http().post(WRITES[1] as string, new Uint8Array(bytes)), 400);
		});

		it("answers 415 where the body says that it is something else", async () => {
			for (const path of WRITES) {
				for (const type of [
					"text/plain",
					"application/x-www-form-urlencoded",
					"multipart/form-data; boundary=x",
					"application/octet-stream"
				]) {
					isError(
						await http().post(path, '{"user_id":"u","amount":1,"name":"a","id":"i"}', { "content-type": type }),
						415,
						undefined,
						`${path} ${type}`
					);
				}
			}
		});

		it("shows all five fields of an error, whichever it is", async () => {
			const answers = [
				await http().get("/nothing"),
				await http().post("/api/purchases", "{"),
				await http().post("/api/purchases", {})
			];
			for (const { json } of answers) assert.deepEqual(Object.keys(json).sort(), ["code", "data", "message", "name", "type"]);
		});

		it("takes JSON that says its charset", async () => {
			const body = { user_id: fresh("user") };
			assert.equal(
				(await http().post(WRITES[1] as string, body, { "content-type": "application/json; charset=utf-8" })).status,
				202
			);
		});

		it("answers 413 where the body is too large", async () => {
			for (const path of WRITES)
				isError(await http().post(path, { user_id: "u", more: "x".repeat(2 * 1024 * 1024) }), 413, undefined, path);
		});

		it("answers 422 and lists each field that is wrong", async () => {
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
				isError(answer, 422, "VALIDATION_ERROR", about);
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

		it("answers 422 for a wallet whose user id is none", async () => {
			for (const id of BAD_IDS.filter(id => id !== "" && id.isWellFormed())) {
				isError(await http().get(`/api/wallet/${encodeURIComponent(id)}`), 422, "VALIDATION_ERROR", JSON.stringify(id));
			}
		});

		it("gives every answer an id, and gives back the one that the client brought", async () => {
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

		it("tells its health, its life and its readiness", async () => {
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

		it("keeps everything else off the port of the figures", async () => {
			for (const url of plaza().metricsUrls) {
				for (const path of ["/", "/selections", "/index.html", "/health/nothing", "/metrics/more", "/%2e%2e/package.json"])
					assert.equal((await rawRequest(url, "GET", path)).status, 404, url + path);
			}
		});

		it("tells figures of every node as Prometheus text", async () => {
			for (const url of plaza().metricsUrls) {
				const { status, headers, text } = await httpClient(url).get("/metrics");
				assert.equal(status, 200);
				assert.match(headers.get("content-type") ?? "", /^text\/plain/);
				assert.match(text, /^# TYPE [a-zA-Z_:][\w:]* (counter|gauge|histogram|summary|untyped)$/m);
				for (const line of text.split("\n"))
					assert.match(line, /^$|^# (HELP|TYPE) |^[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.]+([eE][+-]?\d+)?|NaN|[+-]?Inf)( \d+)?$/, url);
			}
		});

		it("lets browsers in from its own origin and from no other", async () => {
			const name = ownName();
			const pick = (origin: string) => http().post("/api/selections/async", { name, id: fresh(), user_id: "u" }, { origin });
			assert.equal((await pick(plaza().url)).status, 202);
			for (const origin of [
				"https://evil.example",
				"null",
				`${plaza().url}.evil.example`,
				plaza().url.replace("http:", "https:"),
				plaza().url.slice(0, -1)
			]) {
				const refused = await pick(origin);
				isError(refused, 403, undefined, origin);
				assert.equal(refused.headers.get("access-control-allow-origin"), null);
				const preflight = await http().send("OPTIONS", "/api/selections/async", {
					origin,
					"access-control-request-method": "POST"
				});
				assert.equal(preflight.headers.get("access-control-allow-origin"), null);
				await assert.rejects(openSocket(plaza().wsUrl, { origin }), { status: 403 }, origin);
			}
			(await openSocket(plaza().wsUrl, { origin: plaza().url })).close();
		});

		it("answers 404 to upgrades where there is no socket", async () => {
			for (const path of ["/", "/wss", "/ws/more", "/api/ws", "/index.html", "/socket.deliver"]) {
				await assert.rejects(openSocket(plaza().wsUrl.replace("/ws", path)), { status: 404 }, path);
			}
			(await openSocket(`${plaza().wsUrl}?user=test-user`)).close();
		});
	});
