// Lists are paged by cursor: `limit` items after the id of the last item of the page before.
import { z } from "zod";
import { Id } from "./id.ts";

const MAX = 200;
const DEFAULT = 50;
/** Number("") is 0, and Number("0x10") 16. */
const DIGITS = /^\d+$/;

/** `?limit=` (default 50, at most 200) and `?after=` (the id of the last item of the previous page). */
export const Page = z.strictObject({
	// A text in a query string, a number in the REPL.
	limit: z
		.preprocess(
			given => (typeof given === "string" && DIGITS.test(given) ? Number(given) : given),
			z.number().int().min(1).max(MAX)
		)
		.default(DEFAULT),
	after: Id.optional()
});

export type Page = z.output<typeof Page>;
