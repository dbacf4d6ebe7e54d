// Errors that cross the wire: Moleculer's stock classes, told apart by `type`, with details in `data`.
import { Errors } from "moleculer";

/** One thing that is wrong with an input: where, and what would do. */
export interface FieldError {
	field: string;
	message: string;
}

/** 422 `VALIDATION_ERROR`; `data` lists each field. */
export const invalid = (faults: FieldError[]) =>
	new Errors.ValidationError(
		faults.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; "),
		"VALIDATION_ERROR",
		faults
	);

/** 409 `CONFLICT`: the request contradicts something that was accepted before. */
export const conflict = (message: string, data: object) => new Errors.MoleculerClientError(message, 409, "CONFLICT", data);

/** 404 `NOT_FOUND`: there is no such thing, or none that who asks may know of. */
export const notFound = (message: string, data?: object) => new Errors.MoleculerClientError(message, 404, "NOT_FOUND", data);

/** 401 `UNAUTHORIZED`: who asks has not shown who they are. */
export const unauthorized = (message: string) => new Errors.MoleculerClientError(message, 401, "UNAUTHORIZED");

/** 403 `FORBIDDEN`: who asks is known, and may not. */
export const forbidden = (message: string) => new Errors.MoleculerClientError(message, 403, "FORBIDDEN");

/** 429 `TOO_MANY_REQUESTS`; `data.retryAfterMs` says when the next may pass. */
export const tooMany = (message: string, retryAfterMs: number) =>
	new Errors.MoleculerClientError(message, 429, "TOO_MANY_REQUESTS", { retryAfterMs });

/** 503 `UNAVAILABLE`: something this answer needs is away (`data.what`), and the same request may succeed later. */
export const unavailable = (what: string, cause?: unknown) =>
	Object.assign(new Errors.MoleculerRetryableError(`${what} is away, try again later`, 503, "UNAVAILABLE", { what }), { cause });

const SOCKET_CODES = new Set([
	"ECONNREFUSED",
	"ECONNRESET",
	"EPIPE",
	"ETIMEDOUT",
	"ENOTFOUND",
	"EAI_AGAIN",
	"EHOSTUNREACH",
	"ENETUNREACH"
]);
const RETRYABLE_TYPES = new Set([
	"UNAVAILABLE",
	"SERVICE_NOT_FOUND",
	"SERVICE_NOT_AVAILABLE",
	"REQUEST_TIMEOUT",
	"REQUEST_REJECTED",
	// Moleculer's, of a call that is made when the time of the call that makes it is over.
	"REQUEST_SKIPPED",
	// Moleculer's, of a call to another node while the transporter is disconnected.
	"BAD_GATEWAY"
]);

const parts = (error: unknown): unknown[] => {
	const { errors, innerErrors } = error as { errors?: unknown[]; innerErrors?: Record<string, unknown> };
	return [...(errors ?? []), ...Object.values(innerErrors ?? {})];
};

/** SQLSTATE classes and codes that say "not now": connection lost, shutting down, out of resources, serialisation, deadlock, a lock or a session that took too long. */
const retryableSqlState = (code: string) =>
	/^(08|53|57P|58)/.test(code) || code === "40001" || code === "40P01" || ["25006", "25P03", "55P03"].includes(code);

/**
 * Whether an error says that something needed is away (and so the same work will succeed later), rather than that the work itself is wrong.
 * Knows the errors of Moleculer, pg, knex, ioredis, kafkajs and cassandra-driver; anything else counts as wrong work.
 */
export function isUnavailable(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	const { code, type, name, message } = error as Error & { code?: unknown; type?: unknown };
	if (typeof type === "string" && RETRYABLE_TYPES.has(type)) return true;
	if (typeof code === "string" && (SOCKET_CODES.has(code) || (code.length === 5 && retryableSqlState(code)))) return true;
	if (name === "KnexTimeoutError" || name === "MaxRetriesPerRequestError" || name === "ClusterAllFailedError") return true;
	if (name.startsWith("KafkaJS")) return name !== "KafkaJSNonRetriableError";
	if (name === "NoHostAvailableError" || name === "OperationTimedOutError" || name === "BusyConnectionError") return true;
	// cassandra-driver ResponseError: unavailable, overloaded, bootstrapping, and the read and write timeouts.
	if (name === "ResponseError" && typeof code === "number") return [0x1000, 0x1001, 0x1002, 0x1100, 0x1200].includes(code);
	if (/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|BUSY|NOAUTH) /.test(message)) return true;
	if (
		/Connection (terminated|is closed|ended)|Client has encountered a connection error|timeout expired|Stream isn't writeable|Command timed out/i.test(
			message
		)
	)
		return true;
	return parts(error).some(isUnavailable);
}

/** For `catch`: what fails because something is away fails with 503 `UNAVAILABLE`, which names it as given; what is wrong goes on as it is. */
export const unavailableAs =
	(what: string) =>
	(error: unknown): Promise<never> =>
		Promise.reject(isUnavailable(error) ? unavailable(what, error) : error);
