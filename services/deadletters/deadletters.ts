import type { ServiceSchema } from "moleculer";
import { invalid } from "../../mixins/errors.ts";
import { splitFailingBatch } from "../../mixins/split-failing-batch.ts";
import { deadTopic, type Letter, letterOf, replayedOffset, replayMark, replayOf } from "../../mixins/topics/dead-letter.ts";
import type { TopicLog } from "../../mixins/topics/topic-log.ts";
import { defineService } from "../define-service.ts";
import { PAGE } from "./deadletters.contract.ts";
import { printable, printableValue } from "./deadletters.rules.ts";

const isTooLarge = (error: unknown) => (error as { type?: string }).type === "RECORD_TOO_LARGE";

export const deadletters = (log: Pick<TopicLog, "check" | "ends" | "read" | "append">, mixins: Partial<ServiceSchema>[]) => {
	/** Publishes the letters again, returns those that were published. Splits a batch that is too large in halves, so that only the large letter fails. */
	const republish = (letters: Letter[]) =>
		splitFailingBatch<Letter, Letter>(letters, async part => log.append(part.map(replayOf)).then(() => part), {
			isItemError: isTooLarge,
			onFailure(_, error) {
				if (isTooLarge(error)) return [];
				throw error;
			}
		});

	return defineService({
		name: "deadletters",
		mixins,

		actions: {
			async partitions({ params: { topic } }) {
				await log.check();
				const dead = deadTopic(topic);
				const ends = await log.ends(dead).catch(error => {
					// The dead-letter topic does not exist before the first dead letter.
					if (error.data?.what === `topic ${dead}`) return [];
					throw error;
				});
				return ends.map((end, partition) => ({ partition, end })).filter(({ end }) => end > 0);
			},

			async read({ params: { topic, partition, from, key } }) {
				const records = await log.read(deadTopic(topic), partition, from, PAGE);
				const letters = records.flatMap(record => letterOf(record) ?? []);
				return {
					letters: letters.map(({ record, offset, group, type, reason, replays }) => ({
						partition,
						offset: record.offset,
						from: offset,
						group,
						type,
						reason: printable(reason),
						at: new Date(record.timestampMs).toISOString(),
						key: record.key && printable(String(record.key)),
						matchesKey: key === undefined || (record.key !== null && String(record.key) === key),
						value: printableValue(record.value),
						bytes: record.value?.length ?? 0,
						replays
					})),
					replayed: records.flatMap(record => replayedOffset(record) ?? []),
					next: (records.at(-1)?.offset ?? from - 1) + 1
				};
			},

			async replay({ params: { topic, partition, offsets } }) {
				const [first, last] = [Math.min(...offsets), Math.max(...offsets)];
				if (last - first >= PAGE) throw invalid([{ field: "offsets", message: `must lie within ${PAGE} of each other` }]);
				const records = await log.read(deadTopic(topic), partition, first, last - first + 1);
				const letters = records.filter(({ offset }) => offsets.includes(offset)).flatMap(record => letterOf(record) ?? []);
				if (letters.length === 0) return [];
				const replayed = await republish(letters);
				// Marked after publishing: a mark without its message would lose the message.
				if (replayed.length > 0) await log.append(replayed.map(replayMark));
				return replayed.map(({ record }) => record.offset);
			}
		}
	});
};
