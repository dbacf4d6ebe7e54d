// From contracts to routes: what is not declared there cannot be reached.
import type { IncomingMessage } from "node:http";
import { Errors } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { invalid } from "../../mixins/errors.ts";
import { actions } from "../contract.ts";
import { fromCookie } from "./cookies.ts";

type Contracts = Record<string, ActionContract>;

/** The gateway's aliases: `POST /api/purchases` → `purchase.create`. Throws where a contract has a route and does not say whom it is for. */
export const routes = (contracts: object): Record<string, string> =>
	Object.fromEntries(
		Object.entries(contracts as Contracts).flatMap(([name, { rest, who }]) => {
			if (!rest) return [];
			if (!who) throw new Error(`${name} has a route, and its contract does not say who may ask`);
			// Whoever may GET may ask for the headers alone.
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

/** What moleculer-web knows of a request with `mergeParams: false`. */
interface Parsed {
	body?: unknown;
	params?: Record<string, string>;
	query?: Record<string, unknown>;
}

const hasBody = ({ headers }: IncomingMessage) =>
	headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
const isJson = ({ headers }: IncomingMessage) => /^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "");

/**
 * An action's params from a request: the body's fields or the query's, the headers and the cookie that may stand for a field, and the path's, which
 * win. Errors: 415 `UNSUPPORTED_MEDIA_TYPE` for a body that is not JSON, 422 `VALIDATION_ERROR` for JSON that is not an object, or that says of a
 * field something else than its header.
 */
export function paramsOf(contract: ActionContract, req: IncomingMessage & { $params: Parsed }): Record<string, unknown> {
	const { rest, restHeaders = {} } = contract;
	const { body, params } = req.$params;
	const takesBody = !rest?.startsWith("GET ");
	if (takesBody && hasBody(req) && !isJson(req))
		throw new Errors.MoleculerClientError("Send the body as application/json", 415, "UNSUPPORTED_MEDIA_TYPE");
	if (takesBody && hasBody(req) && (typeof body !== "object" || body === null || Array.isArray(body)))
		throw invalid([{ field: "", message: "the body must be a JSON object" }]);

	// What a route does not know of a query is somebody else's: a cache's, a campaign's.
	const asked = Object.entries(req.$params.query ?? {}).filter(([field]) => field in shapeOf(contract));
	const fields: Record<string, unknown> = takesBody ? { ...(body as object) } : Object.fromEntries(asked);
	for (const [header, field] of Object.entries(restHeaders)) {
		const value = req.headers[header];
		if (value === undefined) continue;
		// Two ids for one thing: whichever were taken, a retry that sends the other alone would do it again.
		if (field in fields && fields[field] !== value) throw invalid([{ field, message: `is not what the header ${header} says` }]);
		fields[field] = value;
	}
	return { ...fromCookie(contract, req), ...fields, ...params };
}
