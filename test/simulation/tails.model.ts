// Model of the readers without a group: each reads every partition of its topics from the end.
import { setTimeout as delay } from "node:timers/promises";
import type { Tail, TailOptions } from "../../mixins/topics/topic-log.ts";
import type { Partition } from "./groups.model.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

const PAUSE_MS = 50;
const MAX_BATCH_RECORDS = 12;

interface Reader {
	actor: Actor;
	partition: Partition;
	/** The next offset; undefined until the end is known. */
	next: number | undefined;
}

export interface Tails {
	open(options: TailOptions, actor: Actor): Tail;
	/** Whether every reader of a living process has read all records. */
	areDone(): boolean;
}

export function tailsOf(scheduler: Scheduler, partitionsOf: (topic: string) => Partition[]): Tails {
	const readers: Reader[] = [];

	const read = async (reader: Reader, { name, handler }: TailOptions, onPositioned: () => void) => {
		const { topic, partition, records, wake } = reader.partition;
		const place = `${name} ${topic}/${partition}`;
		await scheduler.step(`${place} end`);
		let from = records.length;
		onPositioned();
		let onAppend = () => {};
		wake.add(() => onAppend());
		for (let first = true; ; first = false) {
			reader.next = from;
			if (from >= records.length) await new Promise<void>(resolve => (onAppend = resolve));
			await scheduler.step(`${place} fetch ${from}`);
			const some = records.slice(from, from + scheduler.random.between(1, MAX_BATCH_RECORDS));
			const batch = { topic, partition, records: some, endOffset: records.length, first, isCurrent: () => reader.actor.isAlive };
			const next: number = await handler(batch).catch(() => from);
			if (next === from) await delay(PAUSE_MS);
			from = next;
		}
	};

	return {
		open(options, actor) {
			const own = options.topics.flatMap(partitionsOf).map((partition): Reader => ({ actor, partition, next: undefined }));
			readers.push(...own);
			const positions = own.map(
				reader =>
					new Promise<void>(resolve =>
						actAs(actor, () => void read(reader, options, resolve).catch(error => scheduler.fail(error)))
					)
			);
			return {
				positioned: Promise.all(positions).then(() => {}),
				problem: () => undefined,
				lag: () => ({}),
				stop: async () => {}
			};
		},
		areDone: () => readers.every(({ actor, partition, next }) => !actor.isAlive || next === partition.records.length)
	};
}
