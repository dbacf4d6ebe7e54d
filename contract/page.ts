// Lists come in pages: so many after the one that was last seen.
import { z } from "zod";
import { Id } from "./id.ts";

const MAX = 200;
const DEFAULT = 50;

/** `?limit=` (default 50, at most 200) and `?after=` (the id of the last one seen). */
export const Page = z.strictObject({
	// A query's text, or a number at the prompt.
	limit: z.coerce
		.number("must be a whole number")
		.int("must be a whole number")
		.min(1, "must be at least 1")
		.max(MAX, `must be at most ${MAX}`)
		.default(DEFAULT),
	after: Id.optional()
});

export type Page = z.output<typeof Page>;
