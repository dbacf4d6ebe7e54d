// Calls the action of a POST without moleculer-web, which would add a second call and its own routing. moleculer-web handles POSTs whose path has
// parameters, whose action accepts larger bodies than others, whose body is compressed, chunked, missing, too large or not JSON, or that come from a page of
// another origin.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import type { ActionContract } from "../../contract/action.ts";
import { deadlineIn } from "../../mixins/deadline.ts";
import { MAX_BODY_BYTES } from "../../runtime/http/request-cost.ts";
import { isCompressed } from "../../runtime/http/request-error.ts";
import type { CheckRequest, ReadRequest } from "./check-request.ts";
import { isJson } from "./json-body.ts";

/** For the token's check and the action together. */
const TIMEOUT_MS = 5_000;

/** Whether requests can reach the action by their path alone, and their bodies may be read before the caller is checked. */
export const isDirect = ({ rest, maxBody }: ActionContract): boolean =>
	rest?.startsWith("POST ") === true && !rest.includes(":") && !maxBody;

/** Whether a request has a JSON body of a size that is known and allowed. Bodies without a Content-Length are chunked or empty. */
function hasPlainBody(req: IncomingMessage): boolean {
	const bytes = Number(req.headers["content-length"] ?? 0);
	return bytes > 0 && bytes <= MAX_BODY_BYTES && !isCompressed(req) && isJson(req);
}

/** The whole body; undefined if the connection is closed before its end. */
const bodyOf = (req: IncomingMessage) =>
	new Promise<Buffer | undefined>(resolve => {
		const pieces: Buffer[] = [];
		req.on("data", (piece: Buffer) => pieces.push(piece));
		req.once("end", () => resolve(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)));
		req.once("close", () => resolve(undefined));
	});

export interface DirectPostOptions {
	/** Handles the requests that are not direct. */
	gateway: RequestListener;
	check: CheckRequest;
	/** Whether a page of the request's own origin sent it, or no browser. */
	isOwnOrigin(req: IncomingMessage): boolean;
	respond(req: IncomingMessage, res: ServerResponse, result: unknown): void;
	fail(...args: [...Parameters<RequestListener>, Error]): void;
}

/** The listener for an action's path. */
export function directPost(
	broker: ServiceBroker,
	[action, contract]: [name: string, contract: ActionContract],
	{ gateway, check, isOwnOrigin, respond, fail }: DirectPostOptions
): RequestListener {
	const answer = async (req: IncomingMessage, res: ServerResponse) => {
		const body = await bodyOf(req);
		if (!body) return;
		const deadline = deadlineIn(TIMEOUT_MS);
		const { params, meta } = await check(broker, contract, Object.assign(req, { body, $params: {} }) as ReadRequest);
		const requestID = req.headers["x-request-id"] as string;
		// The listener waits for its responses when the node stops; Moleculer's own tracking searches its list of open calls at the end of each call.
		const options = { requestID, meta, timeout: deadline.leftMs(), tracking: false };
		respond(req, res, await broker.call(action, params, options));
	};
	return (req, res) => {
		if (req.method !== "POST" || !hasPlainBody(req) || !isOwnOrigin(req)) return gateway(req, res);
		// moleculer-web sets it too: `respond` and `fail` look up the contract by it.
		Object.assign(req, { $action: { name: action } });
		answer(req, res).catch(error => fail(req, res, error));
	};
}
