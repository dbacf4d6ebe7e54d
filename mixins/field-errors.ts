// Checks a value with a zod schema, and lists the invalid fields.
import { z } from "zod";
import type { FieldError } from "./errors.ts";
import { messageOf } from "./field-messages.ts";
import { joinPath, MAX_FIELD_ERRORS } from "./field-path.ts";

/** The parsed value, or one error for each invalid field: at most `MAX_FIELD_ERRORS` + 1, of which the last one only shows that there are more. */
export type Checked<T> = { data: T; fieldErrors?: undefined } | { data?: undefined; fieldErrors: FieldError[] };

type Issue = z.core.$ZodRawIssue;

function errorsOf(issue: Issue, context: z.core.ParseContextInternal): FieldError[] {
	const path = issue.path ?? [];
	if (issue.code === "unrecognized_keys") {
		const keys = (issue.keys as string[]).slice(0, MAX_FIELD_ERRORS + 1);
		return keys.map(key => ({ field: joinPath([...path, key]), message: "is not known here" }));
	}
	const { message } = z.core.util.finalizeIssue(issue, context, z.core.config());
	return [{ field: joinPath(path), message }];
}

/** Checks a value with a schema without asynchronous parts. */
export function checkFields<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
	const context: z.core.ParseContextInternal = { async: false, error: messageOf };
	// Not safeParse: it creates the message of every issue, and a value can have thousands, of which at most ten are returned.
	const { value: data, issues } = schema._zod.run({ value, issues: [] }, context) as z.core.ParsePayload<z.output<S>>;
	if (issues.length === 0) return { data };
	const errors = new Map<string, FieldError>();
	for (const issue of issues) {
		for (const error of errorsOf(issue, context)) if (!errors.has(error.field)) errors.set(error.field, error);
		if (errors.size > MAX_FIELD_ERRORS) break;
	}
	return { fieldErrors: [...errors.values()].slice(0, MAX_FIELD_ERRORS + 1) };
}
