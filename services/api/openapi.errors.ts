// The error responses in the OpenAPI document: every error status that a route can have, and when.
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import type { ActionContract, SharedError } from "../../contract/action.ts";

const FieldErrorSchema = z
	.strictObject({ field: z.string(), message: z.string() })
	.meta({ id: "FieldError", description: "One invalid field of the input, and what is valid" });

/** The shape of every error: clients compare `type`, people read `message`. */
const ErrorSchema = z
	.strictObject({ name: z.string(), message: z.string(), code: z.int(), type: z.string(), data: z.unknown() })
	.meta({ id: "Error" });

interface ErrorDescription {
	when: string;
	example: { name: string; message: string; type: string; data?: unknown };
	isRetryable?: true;
}

const client = "MoleculerClientError";
const ERRORS: Record<number, ErrorDescription> = {
	400: {
		when: "The request cannot be read, or could be read in two ways: most often the body is not JSON in UTF-8, nests too deep, or has too many values, or a header is repeated",
		example: { name: "BadRequestError", message: "The body is not JSON", type: "UNREADABLE_JSON" }
	},
	401: {
		when: "The token is missing, invalid or expired, or its session has ended",
		example: { name: client, message: "This token is not valid", type: "UNAUTHORIZED" }
	},
	403: {
		when: "The caller is signed in but may not do this (`FORBIDDEN`), or the browser's origin is not allowed (`ORIGIN_NOT_ALLOWED`)",
		example: { name: client, message: "This id belongs to another account", type: "FORBIDDEN" }
	},
	404: {
		when: "It does not exist, or the caller may not see it",
		example: { name: client, message: "There is no such thing", type: "NOT_FOUND" }
	},
	409: {
		when: "It contradicts something that was accepted before; `type` says how",
		example: { name: client, message: "This id was used with another amount", type: "CONFLICT", data: { id: "order-1" } }
	},
	413: {
		when: "The body is larger than the route accepts: 64 KiB, or what its description says",
		example: { name: "PayloadTooLargeError", message: "The body is too large", type: "PAYLOAD_TOO_LARGE" }
	},
	415: {
		when: "The body is not sent as application/json in UTF-8",
		example: { name: client, message: "Send the body as application/json", type: "UNSUPPORTED_MEDIA_TYPE" }
	},
	422: {
		when: "The input does not match the schema; `data` lists each invalid field",
		example: {
			name: "ValidationError",
			message: "amount: must have at most 2 decimals",
			type: "VALIDATION_ERROR",
			data: [{ field: "amount", message: "must have at most 2 decimals" }]
		}
	},
	429: {
		when: "Too many requests",
		example: { name: "TooManyRequestsError", message: "Too many requests, slow down", type: "TOO_MANY_REQUESTS" },
		isRetryable: true
	},
	503: {
		when: "A dependency of this response is unavailable: the same request may succeed later",
		example: { name: "ServiceUnavailableError", message: "Postgres is unavailable, try again later", type: "UNAVAILABLE" },
		isRetryable: true
	}
};

const nameOf = (status: number) => STATUS_CODES[status]!.replaceAll(" ", "");

/** `#/components/responses`; `schemaOf` converts a zod schema to JSON Schema. */
export const responses = (schemaOf: (schema: z.ZodType) => object) =>
	Object.fromEntries(
		Object.entries(ERRORS).map(([status, { when, example, isRetryable: comesAgain }]) => {
			const code = Number(status);
			const data = code === 422 ? { data: schemaOf(z.array(FieldErrorSchema)) } : {};
			const schema = { allOf: [schemaOf(ErrorSchema)], properties: { code: { const: code }, ...data } };
			const retry = comesAgain ? { "Retry-After": { $ref: "#/components/headers/Retry-After" } } : {};
			const response = {
				description: when,
				headers: { "X-Request-ID": { $ref: "#/components/headers/X-Request-ID" }, ...retry },
				content: { "application/json": { schema, example: { ...example, code, data: example.data ?? null } } }
			};
			return [nameOf(code), response];
		})
	);

const SHARED_ERRORS: Record<SharedError, number> = { UNAUTHORIZED: 401, NOT_FOUND: 404, CONFLICT: 409 };

/** The error statuses of an action's route, derived from its contract. */
function errorStatusesOf({ rest = "GET /", who, errors = [] }: ActionContract, takesInput: boolean): Set<number> {
	const statuses = new Set([400, 403, 429, 503]);
	const add = (when: boolean, ...more: number[]) => {
		if (when) for (const status of more) statuses.add(status);
	};
	add(!rest.startsWith("GET "), 413, 415, 422);
	add(takesInput, 422);
	add(who !== "anyone", 401);
	for (const error of errors) statuses.add(typeof error === "string" ? SHARED_ERRORS[error] : error.status);
	return statuses;
}

/** The error responses of an action's route; the descriptions list the errors that only its service has. `takesInput`: whether the route has params. */
export const errorResponses = (contract: ActionContract, takesInput: boolean) =>
	Object.fromEntries(
		[...errorStatusesOf(contract, takesInput)].map(status => {
			const own = (contract.errors ?? [])
				.filter(error => typeof error !== "string")
				.filter(error => error.status === status)
				.map(({ type, when }) => `\`${type}\`: ${when}`);
			const description = [ERRORS[status]!.when, ...own].join(". ");
			return [status, { $ref: `#/components/responses/${nameOf(status)}`, ...(own.length > 0 ? { description } : {}) }];
		})
	);
