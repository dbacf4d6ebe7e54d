// Ids: which texts from outside are valid, which belong to accounts, and which are derived from a client's key.
import { hash } from "node:crypto";
import { z } from "zod";

const CONTROL = /\p{Cc}/u;
/** The same as a JSON Schema pattern: not every validator supports Unicode property escapes. */
export const NO_CONTROL = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/** An opaque text id: 1 to 64 UTF-16 units, no control characters, no lone surrogates (stores replace them all by U+FFFD, so two ids could become one). */
export const Id = z
	.string()
	// Counted in UTF-16 units, as JavaScript and Java do; zod's own max counts code points.
	.refine(text => text.length > 0, "must not be empty")
	.refine(text => text.length <= 64, "must be at most 64 characters long")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.refine(text => !CONTROL.test(text), "must not contain control characters")
	// The checks above as far as JSON Schema can express them: it counts code points.
	.meta({
		id: "Id",
		description: "A text id: 1 to 64 UTF-16 units, well-formed, without control characters",
		minLength: 1,
		maxLength: 64,
		pattern: NO_CONTROL
	});

/** Account ids have their own format, so that no guest can use one. */
const ACCOUNT_ID = /^acct_[0-9a-f]{32}$/;

/** Whether this id belongs to an account: only that account's token may act under it. */
export const isAccountID = (id: string) => ACCOUNT_ID.test(id);

export const AccountID = z.string().regex(ACCOUNT_ID).meta({ id: "AccountID" });

/**
 * Derives an id from these values: equal values give the same id, so that all retries under a client's key, also concurrent ones, mean one thing before
 * anything is stored. A UUID of version 8 (RFC 9562, 5.8) from SHA-256.
 */
export function idFrom(...values: readonly (string | number)[]): string {
	const hex = hash("sha256", JSON.stringify(values));
	const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
