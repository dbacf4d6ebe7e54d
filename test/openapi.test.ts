// The published document: an independent validator accepts it, its examples match its schemas, and it describes every route.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { z } from "zod";
import { action } from "../contract/action.ts";
import { openapi } from "../services/api/openapi.ts";
import { routes } from "../services/api/routes.ts";
import { actions } from "../services/contract.ts";
import { pages } from "../services/health/health.contract.ts";

const document = openapi(actions, { guests: true });

type Node = { schema?: object; example?: unknown; [key: string]: unknown };
interface Operation extends Node {
	operationId: string;
	security: object[];
	responses: Record<string, unknown>;
}
const operations = (paths: object) =>
	Object.entries(paths).flatMap(([path, item]) =>
		Object.entries(item as Record<string, Operation>).map(([method, operation]) => ({ path, method, operation }))
	);

/** All nodes of the document that have both a schema and an example. */
function* exampled(node: unknown, where: string): Generator<[where: string, schema: object, example: unknown]> {
	if (typeof node !== "object" || node === null) return;
	const { schema, example } = node as Node;
	if (schema && example !== undefined) yield [where, schema, example];
	for (const [key, child] of Object.entries(node)) yield* exampled(child, `${where}/${key}`);
}

describe("the OpenAPI document", () => {
	it("is valid OpenAPI 3.1", async () => {
		const validator = new Validator();
		const { valid, errors } = await validator.validate(structuredClone(document) as object as Record<string, unknown>);
		assert.ok(valid, JSON.stringify(errors, null, 1));
		assert.equal(validator.version, "3.1");
	});

	it("gives every body an example, and every example matches its schema", () => {
		// In floating point 49.99 is not exactly a multiple of 0.01: allow a tolerance.
		const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 6 });
		formats.default(ajv);
		ajv.addSchema({ $id: "plaza", components: document.components });
		const absolute = (schema: object) => JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"plaza#/'));
		let count = 0;
		for (const [where, schema, example] of exampled(document, "")) {
			const isValid = ajv.validate(absolute(schema), example);
			assert.ok(isValid, `${where}: ${ajv.errorsText()} ${JSON.stringify(example)}`);
			count++;
		}
		const bodies = JSON.stringify(document).split('"application/json"').length - 1;
		assert.ok(count >= bodies, `${count} examples for ${bodies} bodies`);
	});

	it("describes every route of the gateway, the health pages, and nothing else", () => {
		const described = operations(document.paths).map(
			({ path, method }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`
		);
		// HEAD is GET without the body; the document's description mentions it.
		const expected = Object.keys(routes(actions)).filter(route => !route.startsWith("HEAD "));
		assert.deepEqual(described.sort(), [...expected, ...Object.keys(pages).map(path => `GET ${path}`)].sort());
	});

	it("describes a response without a body, an entity tag, a larger body, and the types of an action's own errors", async () => {
		const result = z.strictObject({ version: z.int() });
		const params = z.strictObject({ id: z.string() });
		const { paths, ...rest } = openapi(
			{
				"notes.get": action({ params, result, who: "anyone", rest: "GET /notes/:id", etag: ({ version }) => `${version}` }),
				"notes.remove": action({
					params,
					result: z.null(),
					who: "account",
					rest: "DELETE /notes/:id",
					status: 204,
					errors: ["NOT_FOUND"]
				}),
				"notes.replace": action({
					params,
					result,
					who: "account",
					rest: "PUT /notes/:id",
					errors: [
						{ type: "HOLD_EXPIRED", status: 409, when: "the hold has ended" },
						{ type: "NOT_ADMITTED", status: 403, when: "the show has a queue, and the caller has no admitted place in it" }
					]
				}),
				"notes.fill": action({
					params,
					result,
					who: "admin",
					rest: "POST /notes",
					maxBody: { bytes: 2_000_000, values: 130_000 }
				})
			},
			{ guests: true }
		);
		const { valid, errors } = await new Validator().validate(structuredClone({ paths, ...rest }));
		assert.ok(valid, JSON.stringify(errors, null, 1));
		const of = (method: string, path = "/notes/{id}") =>
			(
				paths[path] as Record<
					string,
					Operation & { description?: string; parameters: { name: string }[]; responses: Record<string, Node> }
				>
			)[method]!;
		const get = of("get");
		assert.deepEqual(
			get.parameters.map(({ name }) => name),
			["id", "If-None-Match"]
		);
		for (const status of ["200", "304"]) assert.ok("ETag" in (get.responses[status]!.headers as object), status);
		assert.equal(get.responses["304"]!.content, undefined);
		const { responses, ...removal } = of("delete");
		assert.deepEqual([responses["204"]!.content, removal.requestBody], [undefined, undefined]);
		assert.ok("404" in responses);
		const replaced = of("put").responses;
		assert.match(String(replaced["409"]!.description), /`HOLD_EXPIRED`: the hold has ended/);
		assert.match(String(replaced["403"]!.description), /`FORBIDDEN`.*`NOT_ADMITTED`/);
		assert.equal(of("delete").responses["403"]!.description, undefined);
		assert.match(of("post", "/notes").description!, /2000000 bytes and 130000 JSON values/);
	});

	it("describes for every action with a route what it does and who may call it", () => {
		const contracts = actions as Record<string, { who?: string; rest?: string }>;
		for (const guests of [true, false])
			for (const { operation } of operations(openapi(actions, { guests }).paths)) {
				const { operationId, summary, security } = operation;
				assert.ok(summary, `${operationId} has no summary`);
				const who = contracts[operationId]?.who ?? "anyone";
				const needsToken = who === "account" || who === "admin" || (who === "owner" && !guests);
				const isOpen = security.length === 0 || security.some(one => Object.keys(one).length === 0);
				assert.equal(isOpen, !needsToken, operationId);
				assert.ok(who === "anyone" || "401" in operation.responses, operationId);
			}
	});
});
