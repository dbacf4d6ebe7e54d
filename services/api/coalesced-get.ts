// What everybody is answered alike: those who ask at the same time share one call and its bytes.
import type { RequestListener, ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { sendText } from "../../runtime/http/http-error.ts";

const MAX_WAITING = 20_000;
/** Calls under way at once: who asks while one is under way waits for the end of a later one, but not of both. */
const CALLS_AT_ONCE = 2;

/** Whether an answer depends on nothing but the moment: anyone may ask, and there is nothing to say. */
export const isCoalescable = ({ rest, who, params }: ActionContract): boolean =>
	who === "anyone" &&
	rest?.startsWith("GET ") === true &&
	params instanceof z.ZodObject &&
	Object.keys(params.shape).length === 0;

export interface Fallback {
	/** Takes the requests that say more: whose they are (a token), or from which site they come. */
	gateway: RequestListener;
	fail(...args: [...Parameters<RequestListener>, Error]): void;
}

/**
 * Answers an action's path. The call is made after all who share it have asked, so that nobody gets an older answer than from a call of their
 * own; it goes by the request id of the first.
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
