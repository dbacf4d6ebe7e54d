import type { ServerUnaryCall } from "@grpc/grpc-js";
import { type CallingOptions, Errors, type Service } from "moleculer";
import type { Caller } from "../caller.ts";

/** What a handler gets beside the request. */
export interface GrpcContext extends Caller {
	/** Aborted when the client cancels, when its deadline passes and when the call has ended. */
	readonly signal: AbortSignal;
}

/** What calls of all four kinds have in common. */
export type GrpcCall = Pick<ServerUnaryCall<object, object>, "cancelled" | "metadata" | "getDeadline" | "getPath"> & {
	once(event: "cancelled", listener: () => void): unknown;
};

const REQUEST_ID = /^[\x21-\x7e]{1,64}$/;

function signalOf(call: GrpcCall, skipped: () => Error): AbortSignal {
	const controller = new AbortController();
	const abort = () => controller.abort(skipped());
	const leftMs = Number(call.getDeadline()) - Date.now();
	if (call.cancelled || leftMs <= 0) {
		abort();
		return controller.signal;
	}
	// grpc-js reports a passed deadline only once the client has read what was written before it, which may be never.
	const timer = Number.isFinite(leftMs) ? setTimeout(abort, leftMs).unref() : undefined;
	// Emitted once for each call, also after it has ended well.
	call.once("cancelled", () => {
		clearTimeout(timer);
		abort();
	});
	return controller.signal;
}

/**
 * Calls actions with the client's request id, if it sent a valid one, and with the time left of its deadline where that is shorter than the
 * broker's own `requestTimeout`.
 */
export function contextOf({ broker }: Service, call: GrpcCall): GrpcContext {
	const [given] = call.metadata.get("x-request-id");
	const requestID = typeof given === "string" && REQUEST_ID.test(given) ? given : undefined;
	const deadline = Number(call.getDeadline());
	const skipped = (action: string) => new Errors.RequestSkippedError({ action, nodeID: broker.nodeID });
	const invoke = (action: string, params: object, options?: CallingOptions) => {
		// The client has its answer already: start no more work for it, neither here nor in the calls that this call makes.
		const leftMs = deadline - Date.now();
		if (call.cancelled || leftMs <= 0) throw skipped(action);
		const isShorter = leftMs < (broker.options.requestTimeout || Number.POSITIVE_INFINITY);
		const timeout = isShorter ? { timeout: leftMs } : undefined;
		return broker.call(action, params, { requestID, ...timeout, ...options });
	};
	let signal: AbortSignal | undefined;
	return {
		call: invoke as Caller["call"],
		get signal() {
			signal ??= signalOf(call, () => skipped(call.getPath()));
			return signal;
		}
	};
}
