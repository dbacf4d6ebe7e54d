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

export type Status = Pick<StatusObject, "code" | "details"> & { metadata?: Metadata };

/**
 * What an error of a call is to a gRPC client, by its `type` and `code`. Only refusals, which are written for the caller, keep their text:
 * what is away or broken inside is not the caller's to read.
 */
export function statusOf(error: unknown): Status {
	// Before the codes: Moleculer gives a service that is not there a 404, and one that is too slow a 504.
	if (isUnavailable(error)) return { code: status.UNAVAILABLE, details: "Not available right now, try again later" };
	const { code, type, message } = error as { code?: unknown; type?: unknown; message?: unknown };
	if (type === "REQUEST_SKIPPED") return { code: status.DEADLINE_EXCEEDED, details: "The deadline has passed" };
	const known = BY_CODE[Number(code)];
	if (known === undefined) return { code: status.INTERNAL, details: "Internal error" };
	return { code: known, details: String(message) };
}
