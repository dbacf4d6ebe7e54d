// What is put on another topic, or elsewhere on this one, in place of being handled: dead letters, and strays on the way to their partition.
import type { Logger } from "moleculer";
import { deadLetter } from "./dead-letter.ts";
import type { Decoded } from "./decode.ts";
import type { Outcome } from "./run-handler.ts";
import type { Outgoing, TopicLog, TopicRecord } from "./topic-log.ts";

interface Aside {
	record: TopicRecord;
	outgoing: Outgoing;
}

/** What has left, by the offsets it had. */
export interface Sent {
	dead: number[];
	strays: number[];
}

const TOO_LARGE = "RECORD_TOO_LARGE";
const isTooLarge = (error: unknown) => (error as { type?: string }).type === TOO_LARGE;

/** One record, and if it is too large for where it is to go, what is left of it: nothing may stand in its partition's way for ever. */
async function sendWhatFits(log: Pick<TopicLog, "append">, group: string, { record, outgoing }: Aside): Promise<Outgoing> {
	const tooLarge = { type: TOO_LARGE, message: `${record.value?.length} bytes are more than a topic takes` };
	const remains = deadLetter({ ...record, value: null }, group, tooLarge);
	for (const attempt of [outgoing, deadLetter(record, group, tooLarge), remains]) {
		try {
			await log.append([attempt]);
			return attempt;
		} catch (error) {
			if (!isTooLarge(error)) throw error;
		}
	}
	return remains;
}

/** Sends aside what was given up or has strayed, in the order it came. Resolves once the log has acknowledged it; only then may the offset move past. */
export async function publishRejected(
	log: Pick<TopicLog, "append">,
	group: string,
	passed: Decoded[],
	refused: Outcome["refused"],
	logger: Pick<Logger, "warn">
): Promise<Sent> {
	const aside = passed.flatMap((one): Aside[] => {
		const { record } = one;
		if ("stray" in one) return [{ record, outgoing: one.stray }];
		const dead = "dead" in one ? one.dead : refused.get(record.offset);
		return dead ? [{ record, outgoing: deadLetter(record, group, dead) }] : [];
	});
	const sent: Sent = { dead: [], strays: [] };
	if (aside.length === 0) return sent;
	let outgoing = aside.map(one => one.outgoing);
	try {
		await log.append(outgoing);
	} catch (error) {
		if (!isTooLarge(error)) throw error;
		outgoing = [];
		for (const one of aside) outgoing.push(await sendWhatFits(log, group, one));
	}
	for (const [n, { topic, headers }] of outgoing.entries()) {
		const { record } = aside[n]!;
		const isDead = topic !== record.topic;
		sent[isDead ? "dead" : "strays"].push(record.offset);
		if (isDead)
			logger.warn(`${record.topic}/${record.partition}/${record.offset} lies in its dead letters: ${headers?.["dead-reason"]}`);
	}
	return sent;
}
