// Publishes what a batch held and its handler did not take: dead letters, and misrouted records to the partition that owns their key.
import type { Logger } from "moleculer";
import { deadLetter } from "./dead-letter.ts";
import type { Decoded } from "./decode.ts";
import type { Outcome } from "./run-handler.ts";
import type { Outgoing, TopicLog, TopicRecord } from "./topic-log.ts";

interface Rejected {
	record: TopicRecord;
	outgoing: Outgoing;
}

/** The original offsets of the records that were published. */
export interface Published {
	dead: number[];
	misrouted: number[];
}

const TOO_LARGE = "RECORD_TOO_LARGE";
const isTooLarge = (error: unknown) => (error as { type?: string }).type === TOO_LARGE;

/** Publishes one record; if its topic refuses it as too large, as a dead letter, in the end without its value: no record may block its partition. */
async function publishWhatFits(log: Pick<TopicLog, "append">, group: string, { record, outgoing }: Rejected): Promise<Outgoing> {
	const tooLarge = { type: TOO_LARGE, message: `${record.value?.length} bytes are more than the topic takes` };
	const withoutValue = deadLetter({ ...record, value: null }, group, tooLarge);
	for (const attempt of [outgoing, deadLetter(record, group, tooLarge), withoutValue]) {
		try {
			await log.append([attempt]);
			return attempt;
		} catch (error) {
			if (!isTooLarge(error)) throw error;
		}
	}
	return withoutValue;
}

/** Publishes refused and misrouted records, in order. Resolves once the log has acknowledged them; only then may their offsets be committed. */
export async function publishRejected(
	log: Pick<TopicLog, "append">,
	group: string,
	decoded: Decoded[],
	refused: Outcome["refused"],
	logger: Pick<Logger, "warn">
): Promise<Published> {
	const rejected = decoded.flatMap((one): Rejected[] => {
		const { record } = one;
		if ("misrouted" in one) return [{ record, outgoing: one.misrouted }];
		const dead = "dead" in one ? one.dead : refused.get(record.offset);
		return dead ? [{ record, outgoing: deadLetter(record, group, dead) }] : [];
	});
	const published: Published = { dead: [], misrouted: [] };
	if (rejected.length === 0) return published;
	let outgoing = rejected.map(one => one.outgoing);
	try {
		await log.append(outgoing);
	} catch (error) {
		if (!isTooLarge(error)) throw error;
		outgoing = [];
		for (const one of rejected) outgoing.push(await publishWhatFits(log, group, one));
	}
	for (const [n, { topic, headers }] of outgoing.entries()) {
		const { record } = rejected[n]!;
		const isDead = topic !== record.topic;
		published[isDead ? "dead" : "misrouted"].push(record.offset);
		if (isDead)
			logger.warn(`${record.topic}/${record.partition}/${record.offset} became a dead letter: ${headers?.["dead-reason"]}`);
	}
	return published;
}
