// How errors of Postgres are reported to callers. One mapping for every store.
import { invalid, isUnavailable, unavailable } from "../errors.ts";

/** SQLSTATE class 22, data exception, and 23, integrity constraint violation: a row is invalid, and a retry cannot succeed. */
export const isDataError = (error: unknown) => /^2[23]/.test((error as { code?: string }).code ?? "");

/** 503 `UNAVAILABLE` if Postgres is unavailable, 422 `VALIDATION_ERROR` if it refused the data; any other error is returned unchanged. */
export function toRefusal(error: Error): Error {
	if (isUnavailable(error)) return unavailable("Postgres", error);
	// Without the database's own message, which quotes the whole row.
	return isDataError(error) ? invalid([{ field: "", message: "holds something that cannot be stored" }]) : error;
}
