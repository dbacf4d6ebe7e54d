// Ids as text from outside: which ones are accepted, and which of them belong to accounts.
import { z } from "zod";

const CONTROL = /\p{Cc}/u;
/** The same for JSON Schema, whose readers do not all know Unicode's classes by name. */
export const NO_CONTROL = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/** A text id from outside: opaque, 1 to 64 UTF-16 units, no control characters, no half of a surrogate pair (a store would make two ids of it one). */
export const Id = z
	.string()
	// In UTF-16 units, as JavaScript and Java count: zod's own max counts characters, and its min speaks of arrays too.
	.refine(text => text.length > 0, "must not be empty")
	.refine(text => text.length <= 64, "must be at most 64 characters long")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.refine(text => !CONTROL.test(text), "must not contain control characters")
	// What the checks above say, as far as JSON Schema can: it counts characters.
	.meta({
		id: "Id",
		description: "A text id: 1 to 64 UTF-16 units, well-formed, without control characters",
		minLength: 1,
		maxLength: 64,
		pattern: NO_CONTROL
	});

/** Ids of accounts are made here and have a form of their own, so that no guest can have used one, or ever use one. */
const ACCOUNT_ID = /^acct_[0-9a-f]{32}$/;

/** Whether this id belongs to an account: then only that account's token may act under it. */
export const isAccountID = (id: string) => ACCOUNT_ID.test(id);

export const AccountID = z.string().regex(ACCOUNT_ID).meta({ id: "AccountID" });
