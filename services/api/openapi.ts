// The published document: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made of the contracts.
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import packageJson from "../../package.json" with { type: "json" };
import { pages } from "../health/health.contract.ts";
import type { OpenApiDocument } from "./api.contract.ts";
import { REFRESH_COOKIE } from "./cookies.ts";
import { errorResponses, errorStatusesOf, responses } from "./openapi.errors.ts";

type Fields = Record<string, unknown>;
type ObjectSchema = { properties?: Record<string, object>; required?: string[] };

const DESCRIPTION = `What was acknowledged is never lost, its effect happens once, and every screen that should know knows.

- A 201 or 202 is given once the thing is durable. Otherwise it is a refusal, and the same request with the same id can be sent again: it counts once.
- Every refusal has the shape of \`Error\`; \`type\` tells them apart. 429 and 503 say in \`Retry-After\` when to come again.
- Every answer carries \`X-Request-ID\`: the one that the request brought, or a new one. It is in everything that the request set off.
- Whatever can be asked by GET can be asked by HEAD.
- Screens hear of what happens by WebSocket on \`/ws\`, and by Socket.IO on \`/socket.io\`.`;

const ACCOUNT_ONLY = [{ bearerAuth: [] }];

const headers = {
	"X-Request-ID": {
		description: "Names this request in logs and messages",
		required: true,
		schema: { type: "string", minLength: 1 }
	},
	"Retry-After": { description: "Seconds", required: true, schema: { type: "integer", minimum: 1 } },
	"Set-Cookie": { description: "The next refresh token, or none any more", schema: { type: "string" } }
};
const headersOf = (...names: (keyof typeof headers)[]) =>
	Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]));

const json = (schema: object, example: unknown) => ({
	"application/json": { schema, ...(example === undefined ? {} : { example }) }
});

const pick = (fields: Fields, isWanted: (field: string) => boolean) =>
	Object.fromEntries(Object.entries(fields).filter(([field]) => isWanted(field)));

/** Describes the routes of these contracts, as a system that lets guests in, or does not, answers them. */
export function openapi(contracts: Record<string, ActionContract>, { guests }: { guests: boolean }): OpenApiDocument {
	const schemas: Fields = {};

	/** The schemas that have a name go to the document's components. */
	const schemaOf = (schema: z.ZodType, io: "input" | "output" = "output"): object => {
		const { $schema, $defs, ...made } = z.toJSONSchema(schema, {
			io,
			// Nobody wants to read the pattern of what has a format.
			override: ({ jsonSchema }) => void (jsonSchema.format === "date-time" && delete jsonSchema.pattern)
		});
		Object.assign(schemas, $defs);
		return made;
	};

	/** Of a request some fields travel elsewhere than in the body, so there its schema has no use for its name. */
	const inlined = (schema: { $ref?: string }) =>
		schema.$ref ? (schemas[schema.$ref.replace("#/$defs/", "")] as object) : schema;

	const securityOf = ({ who }: ActionContract, fields: string[], restCookie?: string) => {
		if (who === "anyone") return restCookie && fields.includes(restCookie) ? [{ refreshCookie: [] }, {}] : [];
		return who === "owner" && guests ? [{}, ...ACCOUNT_ONLY] : ACCOUNT_ONLY;
	};

	const operationOf = (name: string, contract: ActionContract) => {
		const { rest = "GET /", params, result, summary, example, status = 200, restHeaders = {}, restCookie } = contract;
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
			security: securityOf(contract, fields, restCookie),
			parameters: [
				...fields.filter(field => !inBody(field)).map(field => parameter(field, inPath(field) ? "path" : "query")),
				...Object.entries(restHeaders).map(([header, field]) => parameter(field, "header", header))
			],
			...(fields.some(inBody)
				? { requestBody: { required: bodyNeeds.length > 0, content: json(body, example && pick(given, inBody)) } }
				: {}),
			responses: {
				[status]: {
					description: STATUS_CODES[status],
					headers: headersOf("X-Request-ID", ...(restCookie ? (["Set-Cookie"] as const) : [])),
					content: json(schemaOf(result), example?.result)
				},
				...errorResponses(errorStatusesOf(contract, fields.length > 0))
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
