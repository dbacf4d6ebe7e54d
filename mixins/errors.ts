// Errors that other nodes understand: Moleculer's own classes, distinguished by `type`, with details in `data`.
import { Errors } from "moleculer";
import { MAX_FIELD_ERRORS } from "./field-path.ts";

/** One field of an input that is not valid, and why. */
export interface FieldError {
	field: string;
	message: string;
}

/** 422 `VALIDATION_ERROR`; `data` is the list of field errors: at most `MAX_FIELD_ERRORS`, and the message says if there are more. */
export function invalid(fieldErrors: FieldError[]) {
	const listed = fieldErrors.slice(0, MAX_FIELD_ERRORS);
	const reasons = listed.map(({ field, message }) => (field ? `${field}: ${message}` : message));
	if (listed.length < fieldErrors.length) reasons.push("and more");
	return new Errors.ValidationError(reasons.join("; "), "VALIDATION_ERROR", listed);
}

/** 409 `CONFLICT`: the request contradicts something that was accepted before. */
export const conflict = (message: string, data: object) => new Errors.MoleculerClientError(message, 409, "CONFLICT", data);

/** 404 `NOT_FOUND`: it does not exist, or the caller may not know that it does. */
export const notFound = (message: string, data?: object) => new Errors.MoleculerClientError(message, 404, "NOT_FOUND", data);

/** 401 `UNAUTHORIZED`: the caller is not authenticated. */
export const unauthorized = (message: string) => new Errors.MoleculerClientError(message, 401, "UNAUTHORIZED");

/** 403 `FORBIDDEN`: the caller is authenticated, and not allowed to do this. */
export const forbidden = (message: string) => new Errors.MoleculerClientError(message, 403, "FORBIDDEN");

/** 429 `TOO_MANY_REQUESTS`; `data.retryAfterMs` says when to retry. */
export const tooMany = (message: string, retryAfterMs: number) =>
	new Errors.MoleculerClientError(message, 429, "TOO_MANY_REQUESTS", { retryAfterMs });

/** 503 `UNAVAILABLE`: a dependency (`data.what`) is unavailable, and the same request may succeed later. */
export const unavailable = (what: string, cause?: unknown) =>
	Object.assign(new Errors.MoleculerRetryableError(`${what} is unavailable, try again later`, 503, "UNAVAILABLE", { what }), {
		cause
	});

/** Of Node's sockets and name look-ups, and of `fetch` (undici). */
const CONNECTION_CODES = new Set([
	"ECONNREFUSED",
	"ECONNRESET",
	"ECONNABORTED",
	"EPIPE",
	"ETIMEDOUT",
	"ENOTFOUND",
	"EAI_AGAIN",
	"EHOSTUNREACH",
	"EHOSTDOWN",
	"ENETUNREACH",
	"ENETDOWN",
	"UND_ERR_CONNECT_TIMEOUT",
	"UND_ERR_HEADERS_TIMEOUT",
	"UND_ERR_BODY_TIMEOUT",
	"UND_ERR_SOCKET"
]);
const RETRYABLE_TYPES = new Set([
	"UNAVAILABLE",
	"SERVICE_NOT_FOUND",
	"SERVICE_NOT_AVAILABLE",
	"REQUEST_TIMEOUT",
	"REQUEST_REJECTED",
	// Moleculer's, for a call made after the deadline of the call that makes it.
	"REQUEST_SKIPPED",
	// Moleculer's, for a call to another node while the transporter is disconnected.
	"BAD_GATEWAY"
]);
/** How deep `isUnavailable` follows `cause` and the parts of an error: no driver wraps deeper, and a circle must end. */
const MAX_DEPTH = 8;

const wrappedBy = (error: unknown): unknown[] => {
	const { cause, errors, innerErrors } = error as {
		cause?: unknown;
		errors?: unknown[];
		innerErrors?: Record<string, unknown>;
	};
	return [cause, ...(Array.isArray(errors) ? errors : []), ...Object.values(innerErrors ?? {})];
};

/** SQLSTATE classes and codes of passing failures: connection, shutdown, resources, serialization, deadlock, lock and session timeouts. */
const isRetryableSqlState = (code: string) =>
	/^(08|53|57P|58)/.test(code) || code === "40001" || code === "40P01" || ["25006", "25P03", "55P03"].includes(code);

/** Whether an error is a judgement on the request (4xx): retrying it is pointless. */
export const isClientError = (error: unknown): boolean => {
	const { code } = error as { code?: unknown };
	return typeof code === "number" && code >= 400 && code < 500;
};

/**
 * Whether an error means that a dependency is unavailable, so that the same work will succeed later. Knows the errors of Moleculer, Node,
 * fetch, pg, knex, ioredis, kafkajs, cassandra-driver and grpc-js, also where another error wraps them (`cause`, `errors`, `innerErrors`);
 * every other error counts as a failure of the work itself.
 */
export const isUnavailable = (error: unknown): boolean => isUnavailableAt(error, 0);

function isUnavailableAt(error: unknown, depth: number): boolean {
	if (!(error instanceof Error) || depth > MAX_DEPTH) return false;
	const { code, type, name, message } = error as Error & { code?: unknown; type?: unknown };
	if (typeof type === "string" && RETRYABLE_TYPES.has(type)) return true;
	if (typeof code === "string" && (CONNECTION_CODES.has(code) || (code.length === 5 && isRetryableSqlState(code)))) return true;
	if (name === "KnexTimeoutError" || name === "MaxRetriesPerRequestError" || name === "ClusterAllFailedError") return true;
	if (name.startsWith("KafkaJS")) return name !== "KafkaJSNonRetriableError";
	if (name === "NoHostAvailableError" || name === "OperationTimedOutError" || name === "BusyConnectionError") return true;
	// AbortSignal.timeout
	if (name === "TimeoutError") return true;
	// cassandra-driver ResponseError: unavailable, overloaded, bootstrapping, the write and read timeouts, and a read or write that failed on a replica.
	if (name === "ResponseError" && typeof code === "number")
		return [0x1000, 0x1001, 0x1002, 0x1100, 0x1200, 0x1300, 0x1500].includes(code);
	if (/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|BUSY|NOAUTH) /.test(message)) return true;
	if (/^(14 UNAVAILABLE|4 DEADLINE_EXCEEDED): /.test(message)) return true;
	if (
		/Connection (terminated|is closed|ended)|Client has encountered a connection error|timeout expired|Stream isn't writeable|Command timed out/i.test(
			message
		)
	)
		return true;
	// A client error stays a client error, whatever led to it.
	return !isClientError(error) && wrappedBy(error).some(inner => isUnavailableAt(inner, depth + 1));
}

/** For `catch`: replaces an error of an unavailable dependency by 503 `UNAVAILABLE` that names `what`; rethrows any other error. */
export const unavailableAs =
	(what: string) =>
	(error: unknown): Promise<never> =>
		Promise.reject(isUnavailable(error) ? unavailable(what, error) : error);
