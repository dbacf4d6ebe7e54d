// The params of an action in an HTTP request: in the body or the query, in headers and the cookie, and in the path.
import type { IncomingMessage } from "node:http";
import { Errors } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { invalid } from "../../mixins/errors.ts";
import { hasBody } from "../../runtime/http/request-error.ts";
import { isDecodable, pathOf } from "../../runtime/http/request-target.ts";
import { fromCookie } from "./cookies.ts";
import { isJson } from "./json-body.ts";

const shapeOf = ({ params }: ActionContract): object => (params instanceof z.ZodObject ? params.shape : {});

const takesBody = ({ rest }: ActionContract) => !rest?.startsWith("GET ");

/** Whether a body that nothing has read yet ends without a byte. */
const isEmpty = (req: IncomingMessage) =>
	new Promise<boolean>(resolve => {
		req.once("data", () => resolve(false));
		req.once("end", () => resolve(true));
		req.once("close", () => resolve(false));
	});

/** Rejects with 415 `UNSUPPORTED_MEDIA_TYPE` if a request has a body that is not JSON. Whether a chunked body is empty is known only when it ends. */
export async function assertBodyIsJson(contract: ActionContract, req: IncomingMessage) {
	if (!takesBody(contract) || !hasBody(req) || isJson(req)) return;
	if (req.headers["content-length"] === undefined && (await isEmpty(req))) return;
	throw new Errors.MoleculerClientError("Send the body as application/json", 415, "UNSUPPORTED_MEDIA_TYPE");
}

/** Throws 422 `VALIDATION_ERROR` for a field of the action that is not UTF-8: URLSearchParams would replace its bytes by U+FFFD. */
function assertDecodable(shape: object, text: string) {
	if (isDecodable(text)) return;
	for (const pair of text.split("&")) {
		if (isDecodable(pair)) continue;
		for (const field of new URLSearchParams(pair).keys())
			if (Object.hasOwn(shape, field)) throw invalid([{ field, message: "must be percent-encoded UTF-8" }]);
	}
}

/** The action's fields in the query of a URL. Throws 422 `VALIDATION_ERROR` for a repeated one, and for one that cannot be decoded. */
function fromQuery(contract: ActionContract, query: URLSearchParams, url: string): Record<string, unknown> {
	const shape = shapeOf(contract);
	const fields: Record<string, unknown> = {};
	if (url.includes("%")) assertDecodable(shape, url.slice(pathOf({ url }).length + 1));
	for (const [field, value] of query) {
		if (field === "__proto__") throw invalid([{ field, message: "is not a field name" }]);
		// Unknown query parameters are ignored: caches and marketing campaigns add their own.
		if (!Object.hasOwn(shape, field)) continue;
		if (Object.hasOwn(fields, field)) throw invalid([{ field, message: "must be there once" }]);
		fields[field] = value;
	}
	return fields;
}

/** Visible ASCII without the comma, because proxies join repeated headers with commas. */
export const HEADER_VALUE = "^[!-+\\--~]{1,64}$";
const headerValue = new RegExp(HEADER_VALUE);

/**
 * The fields that headers stand for. Throws 400 `INVALID_HEADER` for a value that proxies or decoders could change, and for one that differs from the body:
 * with two different ids for one request, a retry with only the other id would take effect twice. The HTTP listener refuses a repeated header.
 */
function fromHeaders({ restHeaders = {} }: ActionContract, req: IncomingMessage, body: Record<string, unknown>) {
	const fields: Record<string, unknown> = {};
	const refuse = (header: string, message: string) =>
		new Errors.MoleculerClientError(`${header}: ${message}`, 400, "INVALID_HEADER", { header });
	for (const [header, field] of Object.entries(restHeaders)) {
		const value = req.headers[header];
		if (value === undefined) continue;
		if (typeof value !== "string" || !headerValue.test(value))
			throw refuse(header, "must be 1 to 64 visible ASCII characters without a comma");
		if (Object.hasOwn(body, field) && body[field] !== value) throw refuse(header, `differs from ${field} in the body`);
		fields[field] = value;
	}
	return fields;
}

/** The `$params` of a request in moleculer-web with `mergeParams: false`. */
export interface Parsed {
	body?: unknown;
	params?: Record<string, string>;
	query?: URLSearchParams;
}

/**
 * The action's params in a request: from the body or the query, from the headers and the cookie that may replace a field, and from the path, which
 * takes precedence. Throws 422 `VALIDATION_ERROR` for JSON that is not an object and for an ambiguous query, 400 `INVALID_HEADER` for such a header.
 */
export function paramsOf(contract: ActionContract, req: IncomingMessage & { $params: Parsed }): Record<string, unknown> {
	const { body, params, query } = req.$params;
	const isBodyRead = takesBody(contract) && hasBody(req) && isJson(req);
	if (isBodyRead && (typeof body !== "object" || body === null || Array.isArray(body)))
		throw invalid([{ field: "", message: "the body must be a JSON object" }]);

	const fields = takesBody(contract)
		? { ...(body as Record<string, unknown>) }
		: fromQuery(contract, query ?? new URLSearchParams(), req.url ?? "");
	return { ...fromCookie(contract, req), ...fields, ...fromHeaders(contract, req, fields), ...params };
}

/** Replaces moleculer-web's `parseQueryString`, which drops `__proto__` and every parameter after the thousandth. */
export function splitUrl({ url = "/" }: Pick<IncomingMessage, "url">): { url: string; query: URLSearchParams } {
	const path = pathOf({ url });
	return { url: path, query: new URLSearchParams(url.slice(path.length + 1)) };
}
