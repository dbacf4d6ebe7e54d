import { type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { isUnavailable } from "../errors.ts";

const BY_CODE: Record<number, status> = {
	400: status.INVALID_ARGUMENT,
	401: status.UNAUTHENTICATED,
	403: status.PERMISSION_DENIED,
	404: status.NOT_FOUND,
	409: status.FAILED_PRECONDITION,
	422: status.INVALID_ARGUMENT,
	429: status.RESOURCE_EXHAUSTED
};

const MAX_DETAILS = 1_000;

export type Status = Pick<StatusObject, "code" | "details"> & { metadata?: Metadata };

/**
 * The gRPC status for an error, by its `type` and `code`. Only errors that are meant for the caller keep their text: which dependency is
 * unavailable or what failed inside stays inside.
 */
export function statusOf(error: unknown): Status {
	// Before the codes: Moleculer gives 404 to a missing service and 504 to one that timed out.
	if (isUnavailable(error)) return { code: status.UNAVAILABLE, details: "Not available right now, try again later" };
	// Handlers may throw anything, undefined too.
	const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
	const known = BY_CODE[Number(code)];
	if (known === undefined) return { code: status.INTERNAL, details: "Internal error" };
	// grpc-js fails to encode a lone surrogate, and HTTP/2 to send trailers of 64 KiB.
	return { code: known, details: String(message).slice(0, MAX_DETAILS).toWellFormed() };
}
