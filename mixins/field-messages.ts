// The messages for invalid fields. Each continues the name of its field: `amount must be a number`.
import type { z } from "zod";

const TYPES: Record<string, string> = {
	string: "text",
	number: "a number",
	int: "a whole number",
	boolean: "true or false",
	array: "a list",
	object: "an object",
	record: "an object",
	null: "null"
};

const FORMATS: Record<string, string> = {
	datetime: "must be a date and time in ISO 8601, such as 2026-01-31T12:00:00Z"
};

function typeMessage(expected: string, input: unknown): string {
	if (input === undefined || expected === "nonoptional") return "is required";
	// JSON.parse reads 1e400 as Infinity.
	if (input === Number.POSITIVE_INFINITY) return "is too large";
	if (input === Number.NEGATIVE_INFINITY) return "is too small";
	return `must be ${TYPES[expected] ?? expected}`;
}

const counted = (count: number | bigint, one: string) => `${count} ${one}${count === 1 || count === 1n ? "" : "s"}`;

function tooBigMessage({ origin, maximum, inclusive }: z.core.$ZodIssueTooBig): string {
	if (origin === "string") return `must be at most ${counted(maximum, "character")} long`;
	if (origin === "array") return `must have at most ${counted(maximum, "item")}`;
	// zod's own bound of whole numbers, beyond which doubles skip some.
	if (maximum === Number.MAX_SAFE_INTEGER) return "is too large";
	return inclusive === false ? `must be less than ${maximum}` : `must be at most ${maximum}`;
}

function tooSmallMessage({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
	if (origin === "string") return minimum === 1 ? "must not be empty" : `must be at least ${counted(minimum, "character")} long`;
	if (origin === "array") return `must have at least ${counted(minimum, "item")}`;
	if (minimum === Number.MIN_SAFE_INTEGER) return "is too small";
	if (inclusive === false) return `must be greater than ${minimum}`;
	return minimum === 0 ? "must not be negative" : `must be at least ${minimum}`;
}

/** The message for an issue of zod whose schema has none of its own. */
export function messageOf(raw: z.core.$ZodRawIssue): string {
	const issue = raw as z.core.$ZodIssue;
	switch (issue.code) {
		case "invalid_type":
			return typeMessage(issue.expected, issue.input);
		case "too_big":
			return tooBigMessage(issue);
		case "too_small":
			return tooSmallMessage(issue);
		case "invalid_value":
			return issue.input === undefined
				? "is required"
				: `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
		case "invalid_format":
			return FORMATS[issue.format] ?? "has the wrong format";
		case "not_multiple_of":
			return `must be a multiple of ${issue.divisor}`;
		case "invalid_key":
			return `has a name that is not allowed: it ${issue.issues[0]?.message ?? "is not valid"}`;
		default:
			return "is not valid";
	}
}
