// Ids from outside: which texts are valid, and which ids belong to accounts.
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
