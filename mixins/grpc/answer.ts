import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { type CallingOptions, Errors, type Service } from "moleculer";
import type { Caller } from "../caller.ts";
import { statusOf } from "./status.ts";

/** Answers one unary method. Calls made with `ctx` carry the client's request id and deadline on. */
// biome-ignore lint/suspicious/noExplicitAny: a request's shape is the proto file's business
export type GrpcHandler = (request: any, ctx: Caller) => Promise<unknown>;

const REQUEST_ID = /^[\x21-\x7e]{1,64}$/;

/** Calls by the client's request id, where it has sent one, and with what is left of its deadline. */
function callerOf({ broker }: Service, call: ServerUnaryCall<object, object>): Caller {
	const [given] = call.metadata.get("x-request-id");
	const requestID = typeof given === "string" && REQUEST_ID.test(given) ? given : undefined;
	const deadline = Number(call.getDeadline());
	const invoke = (action: string, params: object, options?: CallingOptions) => {
		// Past its deadline the client has its answer already: nothing more is begun for it, here or in the calls that this one makes.
		const leftMs = deadline - Date.now();
		if (call.cancelled || leftMs <= 0) throw new Errors.RequestSkippedError({ action, nodeID: broker.nodeID });
		const timeout = Number.isFinite(leftMs) ? { timeout: leftMs } : undefined;
		return broker.call(action, params, { requestID, ...timeout, ...options });
	};
	return { call: invoke as Caller["call"] };
}

/** A handler as grpc-js wants it: whatever it throws becomes a status. */
export const answering =
	(service: Service, handler: GrpcHandler) => async (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => {
		try {
			done(null, (await handler(call.request, callerOf(service, call))) as object);
		} catch (error) {
			const refusal = statusOf(error);
			if (refusal.code === status.INTERNAL) service.logger.error(error);
			done(refusal);
		}
	};
