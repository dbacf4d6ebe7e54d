// Which routes the gateway serves and to whom, and that nothing else is reachable.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocket } from "./client.socket.ts";
import { exchange, fresh, httpClient, rawRequest } from "./client.ts";
import { assertError, WRITES } from "./http.story.ts";
import { ownName, type System } from "./system.ts";

/** Paths under which internal actions or files would be reachable if the gateway exposed too much. */
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
		"/vendor/",
		"/vendor/socket.io.esm.min.js.map",
		"/vendor/uplot.js/../../package.json",
		"/admin/",
		"/admin/orders/1",
		"/orders/1",
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

export const endpointsStory = (plaza: () => System) =>
	describe("the gateway's routes", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);

		it("serve the page with an ETag, and answer 304 to a client that has it", async () => {
			for (const path of ["/index.html", "/"]) {
				const { status, headers, text } = await http().get(path);
				assert.equal(status, 200);
				assert.match(headers.get("content-type") ?? "", /^text\/html/);
				assert.match(text, /selection results via socket/);
				const etag = headers.get("etag");
				assert.ok(etag, "no ETag");
				// `fetch` would add "no-cache" to a conditional request.
				const again = (tag: string) => rawRequest(plaza().url, "GET", path, { "if-none-match": tag });
				assert.deepEqual([(await again(etag)).status, (await again('"another"')).status], [304, 200]);
			}
		});

		it("serve every page by its path, and only those package files that the pages use", async () => {
			for (const path of ["/products", "/orders", "/shows", "/admin", "/admin/orders", "/orders?from=elsewhere"]) {
				const { status, headers, text } = await http().get(path);
				assert.equal(status, 200, path);
				assert.match(headers.get("content-type") ?? "", /^text\/html/);
				for (const [, file = ""] of text.matchAll(/(?:href|src)="(\/[^"]*)"/g))
					assert.equal((await http().get(file)).status, 200, file);
			}
			for (const [path, type] of [
				["/vendor/socket.io.js", /^text\/javascript/],
				["/vendor/uplot.js", /^text\/javascript/],
				["/vendor/uplot.css", /^text\/css/]
			] as const) {
				const { status, headers } = await http().get(path);
				assert.equal(status, 200, path);
				assert.match(headers.get("content-type") ?? "", type);
				assert.match(headers.get("content-security-policy") ?? "", /trusted-types 'none'$/);
				const again = await rawRequest(plaza().url, "GET", path, { "if-none-match": headers.get("etag") as string });
				assert.deepEqual([again.status, again.text], [304, ""]);
				const head = await http().send("HEAD", path);
				assert.deepEqual([head.status, head.text], [200, ""]);
			}
		});

		it("answer HEAD of the page like GET without the body", async () => {
			const { status, headers, text } = await http().send("HEAD", "/index.html");
			assert.deepEqual([status, text], [200, ""]);
			assert.match(headers.get("content-type") ?? "", /^text\/html/);
		});

		it("send the security headers on every response, and no header that reveals the software", async () => {
			const paths = [
				"/",
				"/css/base.css",
				"/selections",
				`/api/wallet/${fresh()}`,
				"/nothing",
				"/%",
				"/health",
				"/health/live",
				"/health/ready"
			];
			const answers = await Promise.all(paths.map(path => http().get(path)));
			answers.push(await http().post("/api/purchases", {}), await http().send("OPTIONS", "/selections"));
			for (const { headers, text } of answers) {
				const is = Object.fromEntries(headers);
				assert.match(is["content-security-policy"] ?? "", /^default-src 'none';.*frame-ancestors 'none'/, text);
				assert.deepEqual(
					[
						is["x-content-type-options"],
						is["referrer-policy"],
						is["cross-origin-opener-policy"],
						is["cross-origin-resource-policy"]
					],
					["nosniff", "no-referrer", "same-origin", "same-origin"]
				);
				assert.match(is["permissions-policy"] ?? "", /camera=\(\)/);
				for (const name of ["server", "x-powered-by", "strict-transport-security"]) assert.equal(is[name], undefined, name);
			}
			const [page, , counts] = answers;
			assert.match(
				page?.headers.get("content-security-policy") ?? "",
				/script-src 'self'.*require-trusted-types-for 'script'; trusted-types 'none'$/
			);
			assert.doesNotMatch(page?.headers.get("content-security-policy") ?? "", /unsafe|data:|\*/);
			assert.deepEqual([page?.headers.get("cache-control"), counts?.headers.get("cache-control")], ["no-cache", "no-store"]);
		});

		it("answer OPTIONS with 204 and run no action", async () => {
			for (const path of ["/selections", "/api/purchases", "/nothing", "/"]) {
				const { status, text } = await http().send("OPTIONS", path);
				assert.deepEqual([status, text], [204, ""], path);
			}
		});

		it("refuse requests that HTTP parsers may interpret differently", async () => {
			const ask = (start: string, body = "") => exchange(plaza().url, `${start}\r\nConnection: close\r\n\r\n${body}`);
			const many = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: y`).join("\r\n");
			for (const [start, body, status] of [
				["GET /selections HTTP/1.1\r\nHost: x\r\nContent-Length: 2", "{}", 400],
				["HEAD /selections HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", 400],
				["GET /selections HTTP/1.1\r\nHost: x\r\nContent-Length: 0", "", 200],
				["GET /selections HTTP/1.1\r\nHost: x\r\nhOST: y", "", 400],
				["GET /selections HTTP/1.1\r\nAccept: */*", "", 400],
				["GET /selections HTTP/1.0", "", 200],
				[`GET /selections HTTP/1.1\r\nHost: x\r\n${many(98)}`, "", 200],
				[`GET /selections HTTP/1.1\r\nHost: x\r\n${many(99)}`, "", 431],
				[`GET /selections HTTP/1.1\r\nHost: x\r\n${many(1_000)}`, "", 431],
				[
					"POST /api/purchases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3",
					"{}",
					400
				]
			] as const) {
				const answer = await ask(start, body);
				assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), start);
				assert.match(answer, /^X-Request-ID: \S+\r$/m, start);
			}
		});

		it("answer 408 to a request whose headers take longer than ten seconds", async () => {
			const start = performance.now();
			const answer = await exchange(plaza().url, "GET /selections HTTP/1.1\r\nHost: x\r\n");
			assert.match(answer, /^HTTP\/1\.1 408 /);
			assert.ok(performance.now() - start > 9_000, "the server answered too early");
		});

		it("answer 404 for everything that is not listed", async () => {
			for (const path of INNER) {
				for (const method of ["GET", "POST"]) {
					const answer = await http().send(
						method,
						path,
						{ "content-type": "application/json" },
						method === "POST" ? "{}" : undefined
					);
					assertError(answer, 404, undefined, `${method} ${path}`);
				}
			}
			for (const path of WRITES) assertError(await http().get(path), 404, undefined, `GET ${path}`);
			for (const method of ["PUT", "PATCH", "DELETE", "POST"]) {
				const answer = await http().send(
					method,
					"/selections",
					{ "content-type": "application/json" },
					'[{"name":"a","count":1000}]'
				);
				assertError(answer, 404, undefined, `${method} /selections`);
			}
		});

		it("serve no file outside of the public folder", async () => {
			for (const path of TRAVERSALS) {
				const { status, text } = await rawRequest(plaza().url, "GET", path);
				assert.ok(status === 404 || status === 400, `${path}: ${status} ${text.slice(0, 200)}`);
				assert.doesNotMatch(text, /"dependencies"|root:/, path);
			}
		});

		it("answer a client error to a badly encoded path", async () => {
			for (const path of ["/%", "/%zz", "/api/wallet/%", "/api/wallet/%e0%a4%a"]) {
				const { status, text } = await rawRequest(plaza().url, "GET", path);
				assert.ok(status === 400 || status === 404, `${path}: ${status} ${text}`);
			}
		});

		it("answer 404 to everything else on the metrics port", async () => {
			for (const url of plaza().metricsUrls) {
				for (const path of ["/", "/selections", "/index.html", "/health/nothing", "/metrics/more", "/%2e%2e/package.json"])
					assert.equal((await rawRequest(url, "GET", path)).status, 404, url + path);
			}
		});

		it("accept browsers from their own origin and from no other", async () => {
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
				assertError(refused, 403, undefined, origin);
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

		it("answer 404 to upgrades on other paths", async () => {
			for (const path of ["/", "/wss", "/ws/more", "/api/ws", "/index.html", "/socket.deliver"]) {
				await assert.rejects(openSocket(plaza().wsUrl.replace("/ws", path)), { status: 404 }, path);
			}
			(await openSocket(`${plaza().wsUrl}?user=test-user`)).close();
		});
	});
