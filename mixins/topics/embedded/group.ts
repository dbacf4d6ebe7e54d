// A consumer group of the embedded log: one worker for each partition, distributed over the members of the group.
import { createBackoff } from "../../backoff.ts";
import { withTimeout } from "../../deadline.ts";
import type { ConsumeOptions, TopicRecord } from "../topic-log.ts";
import type { Partition } from "./partition.ts";
import type { EmbeddedRecords } from "./records.ts";

export type Member = Required<ConsumeOptions>;

export interface Group {
	join(member: Member): Promise<void>;
	leave(member: Member): Promise<void>;
	lag(member: Member): Record<string, number>;
	/** Resolves once everything handled is committed. */
	flush(): Promise<void>;
	close(): Promise<void>;
}

const BACKOFF = { firstMs: 50, longestMs: 5_000 };
/** Commits are collected for so long: a lost one costs a redelivery, and one per batch would cost too much of the only database connection. */
const COMMIT_DELAY_MS = 50;
const STOP_TIMEOUT_MS = 5_000;

interface Worker {
	member: Member;
	partition: Partition;
	stop(): Promise<void>;
}

export function openGroup(name: string, records: EmbeddedRecords, partitionsOf: (topic: string) => Partition[]): Group {
	const members: Member[] = [];
	const workers = new Map<Partition, Worker>();
	/** The next offset of each partition: handled, though perhaps not committed yet. */
	const positions = new Map<Partition, number>();
	const uncommitted = new Map<Partition, number>();
	let committing: Promise<void> = Promise.resolve();
	let commitTimer: NodeJS.Timeout | undefined;
	let assigning: Promise<void> = Promise.resolve();

	const flush = () => {
		clearTimeout(commitTimer);
		commitTimer = undefined;
		committing = committing
			.catch(() => {})
			.then(async () => {
				const due = [...uncommitted];
				if (due.length === 0) return;
				await records.commit(due.map(([{ topic, partition }, next]) => ({ group: name, topic, partition, next })));
				// A newer position is still due; after a failure all of them are.
				for (const [partition, next] of due) if (uncommitted.get(partition) === next) uncommitted.delete(partition);
			});
		return committing;
	};

	const commit = (partition: Partition, next: number) => {
		positions.set(partition, next);
		uncommitted.set(partition, next);
		// A failed commit is repeated with the next one; else its records are redelivered.
		commitTimer ??= setTimeout(() => flush().catch(() => {}), COMMIT_DELAY_MS);
	};

	const fetch = async ({ tail, topic, partition, next }: Partition, from: number, maxRecords: number): Promise<TopicRecord[]> => {
		if (from >= next) return [];
		const first = tail[0]?.offset ?? Number.POSITIVE_INFINITY;
		return from >= first ? tail.slice(from - first, from - first + maxRecords) : records.read(topic, partition, from, maxRecords);
	};

	const work = (member: Member, partition: Partition): Worker => {
		const stopping = new AbortController();
		let first = true;
		const backoff = createBackoff(BACKOFF);
		let wake = () => {};

		const step = async () => {
			const from = positions.get(partition) ?? 0;
			const batch = await fetch(partition, from, member.maxRecords);
			if (batch.length === 0) {
				if ((positions.get(partition) ?? 0) >= partition.next && !stopping.signal.aborted)
					await new Promise<void>(resolve => (wake = resolve));
				return;
			}
			const end = batch.at(-1)!.offset + 1;
			const { topic, partition: number, next: endOffset } = partition;
			const next = await member
				.handler({ topic, partition: number, records: batch, endOffset, first, isCurrent: () => !stopping.signal.aborted })
				.catch(() => from);
			first = false;
			if (next > from) commit(partition, next);
			if (next > from) backoff.reset();
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
		for (const [partition, member] of wanted) {
			if (!positions.has(partition)) {
				const committed = await records.committed(name, partition.topic);
				for (const other of partitionsOf(partition.topic))
					if (!positions.has(other)) positions.set(other, committed.get(other.partition) ?? 0);
			}
			if (!workers.has(partition)) workers.set(partition, work(member, partition));
		}
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
			await flush();
		},
		lag(member) {
			const lag: Record<string, number> = {};
			for (const { partition, member: owner } of workers.values()) {
				if (owner !== member) continue;
				lag[partition.topic] = (lag[partition.topic] ?? 0) + partition.next - (positions.get(partition) ?? 0);
			}
			return lag;
		},
		flush,
		async close() {
			members.length = 0;
			await reassign();
			await flush();
		}
	};
}
