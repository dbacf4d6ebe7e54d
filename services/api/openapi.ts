// The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html), generated from the contracts.
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import packageJson from "../../package.json" with { type: "json" };
import { pages } from "../health/health.contract.ts";
import type { OpenApiDocument } from "./api.contract.ts";
import { REFRESH_COOKIE } from "./cookies.ts";
import { errorResponses, responses } from "./openapi.errors.ts";
import { HEADER_VALUE } from "./params.ts";

type Fields = Record<string, unknown>;
type ObjectSchema = { properties?: Record<string, object>; required?: string[] };

const DESCRIPTION = `What was acknowledged is never lost, its effect happens once, and it is pushed to every screen that shows it.

- A 201 or 202 is sent after the request is stored durably. After any other response, retry with the same id: it takes effect once.
- Every error has the shape of \`Error\`; compare its \`type\`. 429 and 503 have a \`Retry-After\` header.
- Every response has the header \`X-Request-ID\`: the id of the request, or a new one. The same id is in the logs and messages that the request causes.
- Every GET route also answers HEAD.
- Changes are pushed over WebSocket on \`/ws\` and over Socket.IO on \`/socket.io\`.`;

const ACCOUNT_ONLY = [{ bearerAuth: [] }];

const headers = {
	"X-Request-ID": {
		description: "Identifies this request in logs and messages",
		required: true,
		schema: { type: "string", minLength: 1 }
	},
	"Retry-After": { description: "Seconds", required: true, schema: { type: "integer", minimum: 1 } },
	ETag: { description: "Changes with the response", required: true, schema: { type: "string" } },
	"Set-Cookie": { description: "The next refresh token, or an expired cookie", schema: { type: "string" } }
};
const headersOf = (...names: (keyof typeof headers)[]) =>
	Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]));

const json = (schema: object, example: unknown) => ({
	"application/json": { schema, ...(example === undefined ? {} : { example }) }
});

const IF_NONE_MATCH = {
	name: "If-None-Match",
	in: "header",
	required: false,
	description: "Entity tags that the client has, or `*`: the response is 304 if one of them is its `ETag`",
	schema: { type: "string" }
};

const pick = (fields: Fields, isWanted: (field: string) => boolean) =>
	Object.fromEntries(Object.entries(fields).filter(([field]) => isWanted(field)));

/** The document of these contracts. `guests`: whether guests are allowed, which decides where a token is optional. */
export function openapi(contracts: Record<string, ActionContract>, { guests }: { guests: boolean }): OpenApiDocument {
	const schemas: Fields = {};

	/** Converts a schema; schemas with an id go to the document's components. */
	const schemaOf = (schema: z.ZodType, io: "input" | "output" = "output"): object => {
		const { $schema, $defs, ...made } = z.toJSONSchema(schema, {
			io,
			// The long pattern repeats what the format says.
			override: ({ jsonSchema }) => void (jsonSchema.format === "date-time" && delete jsonSchema.pattern)
		});
		Object.assign(schemas, $defs);
		return made;
	};

	/** The named schema itself: some fields of a request are in its path, query or headers, so the body cannot refer to the whole schema. */
	const inlined = (schema: { $ref?: string }) =>
		schema.$ref ? (schemas[schema.$ref.replace("#/$defs/", "")] as object) : schema;

	const securityOf = ({ who }: ActionContract, fields: string[], restCookie?: string) => {
		if (who === "anyone") return restCookie && fields.includes(restCookie) ? [{ refreshCookie: [] }, {}] : [];
		return who === "owner" && guests ? [{}, ...ACCOUNT_ONLY] : ACCOUNT_ONLY;
	};

	const operationOf = (name: string, contract: ActionContract) => {
		const {
			rest = "GET /",
			params,
			result,
			summary,
			example,
			status = 200,
			restHeaders = {},
			restCookie,
			etag,
			maxBody
		} = contract;
		const { properties = {}, required = [], ...closed } = inlined(schemaOf(params, "input")) as ObjectSchema;
		const given = (example?.params ?? {}) as Fields;
		const inPath = (field: string) => rest.split("/").includes(`:${field}`);
		const takesBody = !rest.startsWith("GET ");
		const inBody = (field: string) => takesBody && !inPath(field);

		const parameter = (field: string, place: string, name = field) => ({
			name,
			in: place,
			required: place === "path" || (place === "query" && required.includes(field)),
			schema: properties[field],
			...(field in given ? { example: given[field] } : {})
		});
		const bodyNeeds = required.filter(inBody);
		const body = { ...closed, properties: pick(properties, inBody), ...(bodyNeeds.length > 0 ? { required: bodyNeeds } : {}) };
		const fields = Object.keys(properties);

		return {
			operationId: name,
			tags: [name.split(".", 1)[0]],
			summary,
			...(maxBody ? { description: `The body may have ${maxBody.bytes} bytes and ${maxBody.values} JSON values.` } : {}),
			security: securityOf(contract, fields, restCookie),
			parameters: [
				...fields.filter(field => !inBody(field)).map(field => parameter(field, inPath(field) ? "path" : "query")),
				...Object.entries(restHeaders).map(([header, field]) => ({
					...parameter(field, "header", header),
					schema: { type: "string", pattern: HEADER_VALUE }
				})),
				...(etag ? [IF_NONE_MATCH] : [])
			],
			...(fields.some(inBody)
				? { requestBody: { required: bodyNeeds.length > 0, content: json(body, example && pick(given, inBody)) } }
				: {}),
			responses: {
				[status]: {
					description: STATUS_CODES[status],
					headers: headersOf(
						"X-Request-ID",
						...(restCookie ? (["Set-Cookie"] as const) : []),
						...(etag ? (["ETag"] as const) : [])
					),
					...(status === 204 ? {} : { content: json(schemaOf(result), example?.result) })
				},
				...(etag ? { 304: { description: STATUS_CODES[304], headers: headersOf("X-Request-ID", "ETag") } } : {}),
				...errorResponses(contract, fields.length > 0)
			}
		};
	};

	const paths: Record<string, Fields> = {};
	for (const [name, contract] of Object.entries(contracts)) {
		if (!contract.rest) continue;
		const [method = "", route = ""] = contract.rest.split(" ");
		const path = route.replace(/:(\w+)/g, "{$1}");
		paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(name, contract) };
	}
	for (const [path, { summary, result, example, statuses }] of Object.entries(pages)) {
		const answer = { headers: headersOf("X-Request-ID"), content: json(schemaOf(result), example) };
		const answers = statuses.map(status => [status, { description: STATUS_CODES[status], ...answer }]);
		const operationId = path.slice(1).replaceAll("/", ".");
		paths[path] = { get: { operationId, tags: ["health"], summary, security: [], responses: Object.fromEntries(answers) } };
	}

	const document = {
		openapi: "3.1.1",
		info: { title: "Plaza", version: packageJson.version, description: DESCRIPTION, license: { name: "MIT", identifier: "MIT" } },
		servers: [{ url: "/" }],
		paths,
		components: {
			schemas,
			responses: responses(schemaOf),
			headers,
			securitySchemes: {
				bearerAuth: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
				refreshCookie: { type: "apiKey", in: "cookie", name: REFRESH_COOKIE }
			}
		}
	};
	return JSON.parse(JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
