import type { z } from "zod";
import type { FieldError } from "./errors.ts";

/** The issues of a zod error as field errors; each unknown field gets one of its own. */
export const fieldErrorsOf = ({ issues }: z.ZodError): FieldError[] =>
	issues.flatMap(issue => {
		const path = issue.path.map(String);
		if (issue.code === "unrecognized_keys")
			return issue.keys.map(key => ({ field: [...path, key].join("."), message: "is not known here" }));
		const message = issue.message.endsWith("received undefined")
			? "is required"
			: issue.message.replace(/^Invalid input: expected/, "must be");
		return [{ field: path.join("."), message: message.replace(/, received .*$/, "") }];
	});
