// The routes that the contracts declare; nothing else is reachable over HTTP.
import type { IncomingMessage } from "node:http";
import { Errors } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { invalid } from "../../mixins/errors.ts";
import { actions } from "../contract.ts";
import { fromCookie } from "./cookies.ts";

type Contracts = Record<string, ActionContract>;

/** The gateway's aliases: `POST /api/purchases` → `purchase.create`. Throws if a contract has a route but no `who`. */
export const routes = (contracts: object): Record<string, string> =>
	Object.fromEntries(
		Object.entries(contracts as Contracts).flatMap(([name, { rest, who }]) => {
			if (!rest) return [];
			if (!who) throw new Error(`${name} has a route, but its contract does not say who may call it: add \`who\``);
			// Every GET route also answers HEAD.
			return rest.startsWith("GET ")
				? [
						[rest, name],
						[rest.replace("GET", "HEAD"), name]
					]
				: [[rest, name]];
		})
	);

export const contractOf = (action: string): ActionContract => (actions as unknown as Contracts)[action]!;

const shapeOf = ({ params }: ActionContract): object => (params instanceof z.ZodObject ? params.shape : {});

/** The `$params` of a request in moleculer-web with `mergeParams: false`. */
interface Parsed {
	body?: unknown;
	params?: Record<string, string>;
	query?: Record<string, unknown>;
}

const hasBody = ({ headers }: IncomingMessage) =>
	headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
const isJson = ({ headers }: IncomingMessage) => /^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "");

/**
 * The action's params in a request: from the body or the query, from the headers and the cookie that may replace a field, and from the path, which
 * takes precedence. Throws 415 `UNSUPPORTED_MEDIA_TYPE` for a body that is not JSON, and 422 `VALIDATION_ERROR` for JSON that is not an object or
 * a field that differs from its header.
 */
export function paramsOf(contract: ActionContract, req: IncomingMessage & { $params: Parsed }): Record<string, unknown> {
	const { rest, restHeaders = {} } = contract;
	const { body, params } = req.$params;
	const takesBody = !rest?.startsWith("GET ");
	if (takesBody && hasBody(req) && !isJson(req))
		throw new Errors.MoleculerClientError("Send the body as application/json", 415, "UNSUPPORTED_MEDIA_TYPE");
	if (takesBody && hasBody(req) && (typeof body !== "object" || body === null || Array.isArray(body)))
		throw invalid([{ field: "", message: "the body must be a JSON object" }]);

	// Unknown query parameters are ignored: caches and marketing campaigns add their own.
	const query = Object.entries(req.$params.query ?? {}).filter(([field]) => field in shapeOf(contract));
	const fields: Record<string, unknown> = takesBody ? { ...(body as object) } : Object.fromEntries(query);
	for (const [header, field] of Object.entries(restHeaders)) {
		const value = req.headers[header];
		if (value === undefined) continue;
		// With two different ids for one request, a retry with only the other id would take effect twice.
		if (field in fields && fields[field] !== value) throw invalid([{ field, message: `differs from the header ${header}` }]);
		fields[field] = value;
	}
	return { ...fromCookie(contract, req), ...fields, ...params };
}
