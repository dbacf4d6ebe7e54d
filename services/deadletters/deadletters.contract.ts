// All that the rest of the system may know about dead letters: what the command shows, and what it has done. No door leads here from outside.
import { z } from "zod";
import { action } from "../../contract/action.ts";

/** Letters looked at in one call. */
export const PAGE = 100;

const Place = { topic: z.string(), partition: z.int().min(0) };
const offset = z.int().min(0);

export const Letter = z.strictObject({
	partition: z.int(),
	/** Among the dead letters. */
	offset,
	/** Where the message lay on its topic, on the same partition. */
	from: z.int(),
	group: z.string(),
	type: z.string(),
	reason: z.string(),
	at: z.string(),
	/** As text without secrets, a long one cut; null: none. */
	key: z.string().nullable(),
	/** Whether it is the key that was asked for, which what is shown of it need not say. */
	matchesKey: z.boolean(),
	value: z.string(),
	bytes: z.int(),
	/** How often it had been put back before it died again. */
	replays: z.int()
});

export const actions = {
	/** The partitions of a topic's dead letters that hold any, and where they end: no topic, no partitions. Rejects with `UNAVAILABLE`. */
	"deadletters.partitions": action({
		params: z.strictObject({ topic: z.string() }),
		result: z.array(z.strictObject({ partition: z.int(), end: z.int() }))
	}),
	/** A page of one partition: its letters, the offsets of those that were put back (from this page or before), and where the next page starts. */
	"deadletters.read": action({
		params: z.strictObject({ ...Place, from: offset, key: z.string().optional() }),
		result: z.strictObject({ letters: z.array(Letter), replayed: z.array(z.int()), next: z.int() })
	}),
	/**
	 * Puts letters of one page back on their topic, and then marks them as put back. Answers which; one that its topic does not take is left out.
	 * A process that dies in between puts them back again the next time: effects are idempotent, so that is safe.
	 */
	"deadletters.replay": action({
		params: z.strictObject({ ...Place, offsets: z.array(offset).min(1).max(PAGE) }),
		result: z.array(z.int())
	})
};

export const topics = {};

export type Letter = z.output<typeof Letter>;
