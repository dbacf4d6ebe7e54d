// A consumer group of the embedded log: one worker for each partition, distributed over the members of the group.
import { createBackoff } from "../../backoff.ts";
import { withTimeout } from "../../deadline.ts";
import { lagByTopic } from "../lag.ts";
import type { ConsumeOptions } from "../topic-log.ts";
import { type Partition, recentRecords } from "./partition.ts";
import type { PositionStore } from "./positions.ts";
import type { EmbeddedRecords } from "./records.ts";

export type Member = Required<ConsumeOptions>;

export interface Group {
	join(member: Member): Promise<void>;
	leave(member: Member): Promise<void>;
	lag(member: Member): Record<string, number>;
	close(): Promise<void>;
}

const BACKOFF = { firstMs: 50, longestMs: 5_000 };
const STOP_TIMEOUT_MS = 5_000;

interface Worker {
	member: Member;
	partition: Partition;
	stop(): Promise<void>;
}

export function openGroup(
	name: string,
	records: Pick<EmbeddedRecords, "read">,
	positions: PositionStore,
	partitionsOf: (topic: string) => Partition[]
): Group {
	const members: Member[] = [];
	const workers = new Map<Partition, Worker>();
	let assigning: Promise<void> = Promise.resolve();

	const nextOf = ({ topic, partition }: Partition) => positions.next(name, topic, partition) ?? 0;

	/** Undefined if the database does not answer. */
	const fetch = async (partition: Partition, from: number, maxRecords: number) =>
		recentRecords(partition, from, maxRecords) ??
		records.read(partition.topic, partition.partition, from, maxRecords).catch(() => undefined);

	const work = (member: Member, partition: Partition): Worker => {
		const stopping = new AbortController();
		let first = true;
		const backoff = createBackoff(BACKOFF);
		let wake = () => {};

		const step = async () => {
			const from = nextOf(partition);
			const batch = await fetch(partition, from, member.maxRecords);
			if (!batch) return backoff.pause(stopping.signal);
			if (batch.length === 0) {
				if (nextOf(partition) >= partition.next && !stopping.signal.aborted) await new Promise<void>(resolve => (wake = resolve));
				return;
			}
			const end = batch.at(-1)!.offset + 1;
			const { topic, partition: number, next: endOffset } = partition;
			const next = await member
				.handler({ topic, partition: number, records: batch, endOffset, first, isCurrent: () => !stopping.signal.aborted })
				.catch(() => from);
			first = false;
			if (next > from) {
				positions.storeSoon({ group: name, topic, partition: number, next });
				backoff.reset();
			}
			if (next < end) await backoff.pause(stopping.signal);
		};
		const run = async () => {
			while (!stopping.signal.aborted) await step();
		};

		const onRecords = () => wake();
		partition.wake.add(onRecords);
		const running = run();
		return {
			member,
			partition,
			async stop() {
				stopping.abort();
				partition.wake.delete(onRecords);
				wake();
				await withTimeout(running, STOP_TIMEOUT_MS, () => {});
			}
		};
	};

	/** Assigns each partition to one of the members that consume its topic; a member that keeps a partition is not interrupted. */
	const assign = async () => {
		const wanted = new Map<Partition, Member>();
		for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
			const consumers = members.filter(({ topics }) => topics.includes(topic));
			for (const partition of partitionsOf(topic)) wanted.set(partition, consumers[partition.partition % consumers.length]!);
		}
		const reassigned = [...workers.values()].filter(({ partition, member }) => wanted.get(partition) !== member);
		await Promise.all(reassigned.map(worker => worker.stop()));
		for (const { partition } of reassigned) workers.delete(partition);
		for (const [partition, member] of wanted) if (!workers.has(partition)) workers.set(partition, work(member, partition));
	};
	const reassign = () => {
		assigning = assigning.catch(() => {}).then(assign);
		return assigning;
	};

	return {
		join(member) {
			members.push(member);
			return reassign();
		},
		async leave(member) {
			const index = members.indexOf(member);
			if (index >= 0) members.splice(index, 1);
			await reassign();
			await positions.flush();
		},
		lag(member) {
			const own = [...workers.values()].filter(worker => worker.member === member);
			return lagByTopic(own.map(({ partition }) => ({ topic: partition.topic, lag: partition.next - nextOf(partition) })));
		},
		async close() {
			members.length = 0;
			await reassign();
			await positions.flush();
		}
	};
}
