// Lists are paged by cursor: `limit` items after the id of the last item of the page before.
import { z } from "zod";
import { Id } from "./id.ts";

const MAX = 200;
const DEFAULT = 50;

/** `?limit=` (default 50, at most 200) and `?after=` (the id of the last item of the previous page). */
export const Page = z.strictObject({
	// A text in a query string, a number in the REPL.
	limit: z.coerce
		.number("must be a whole number")
		.int("must be a whole number")
		.min(1, "must be at least 1")
		.max(MAX, `must be at most ${MAX}`)
		.default(DEFAULT),
	after: Id.optional()
});

export type Page = z.output<typeof Page>;
