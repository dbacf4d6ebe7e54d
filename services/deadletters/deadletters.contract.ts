// The contract of deadletters: what the command reads and replays. Not reachable from outside.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** The number of records that one call reads. */
export const PAGE = 100;

const Place = { topic: z.string(), partition: z.int().min(0) };
const offset = z.int().min(0);

export const Letter = z.strictObject({
	partition: z.int(),
	/** In the dead-letter topic. */
	offset,
	/** The offset on the original topic, in the same partition. */
	from: z.int(),
	group: z.string(),
	type: z.string(),
	reason: z.string(),
	at: z.string(),
	/** As text, with secrets redacted and truncated; null: no key. */
	key: z.string().nullable(),
	/** Whether the key is the requested one; the redacted text cannot be compared. */
	matchesKey: z.boolean(),
	value: z.string(),
	bytes: z.int(),
	/** How often it had been replayed when it was dead-lettered. */
	replays: z.int()
});

export const actions = {
	/** The non-empty partitions of a dead-letter topic and their end offsets; empty if the topic does not exist. Rejects with `UNAVAILABLE`. */
	"deadletters.partitions": action({
		params: z.strictObject({ topic: z.string() }),
		result: z.array(z.strictObject({ partition: z.int(), end: z.int() }))
	}),
	/** A page of one partition: its letters, the offsets of letters (in this page or before) whose replay is marked in it, and the start of the next page. */
	"deadletters.read": action({
		params: z.strictObject({ ...Place, from: offset, key: z.string().optional() }),
		result: z.strictObject({ letters: z.array(Letter), replayed: z.array(z.int()), next: z.int() })
	}),
	/**
	 * Publishes letters of one page on their original topic, then marks them as replayed. Returns their offsets, without letters that are too large
	 * for the topic. If the process dies in between, the next replay publishes them again, which is safe because handling is idempotent.
	 */
	"deadletters.replay": action({
		params: z.strictObject({ ...Place, offsets: z.array(offset).min(1).max(PAGE) }),
		result: z.array(z.int())
	})
};

export const topics = {};

export type Letter = z.output<typeof Letter>;
