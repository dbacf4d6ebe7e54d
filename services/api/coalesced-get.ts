// GET routes whose response is the same for every client: concurrent requests share one call and one serialised response.
import type { RequestListener, ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { sendText } from "../../runtime/http/http-error.ts";

const MAX_WAITING = 20_000;
/** Concurrent calls. With two, a request that arrives during a call does not wait for its end before its own call starts. */
const CALLS_AT_ONCE = 2;

/** Whether the response is the same for every client: anyone may call the action, and it has no params. etag-get.ts handles those with an `etag`. */
export const isCoalescable = ({ rest, who, params, etag }: ActionContract): boolean =>
	who === "anyone" &&
	!etag &&
	rest?.startsWith("GET ") === true &&
	params instanceof z.ZodObject &&
	Object.keys(params.shape).length === 0;

export interface Fallback {
	/** Handles the requests that are not coalesced: other methods, and requests with a token or an Origin header. */
	gateway: RequestListener;
	fail(...args: [...Parameters<RequestListener>, Error]): void;
}

/**
 * The listener for an action's path. A shared call starts after all of its requests have arrived, so that no response is older than from a
 * call of its own. The call has the request id of the first request.
 */
export function coalescedGet(broker: ServiceBroker, action: string, { gateway, fail }: Fallback): RequestListener {
	const ask = microBatch<string, string>(
		async ([requestID, ...others]) => {
			const text = JSON.stringify(await broker.call(action, {}, { requestID }));
			return [text, ...others.map(() => text)];
		},
		{ maxItems: MAX_WAITING, maxWaiting: MAX_WAITING, concurrency: CALLS_AT_ONCE, name: action }
	);
	return (req, res: ServerResponse) => {
		const { method, headers } = req;
		if (method !== "GET" || headers.authorization !== undefined || headers.origin !== undefined) return gateway(req, res);
		ask(headers["x-request-id"] as string).then(
			text => sendText(res, 200, text),
			error => fail(req, res, error)
		);
	};
}
