// A consumer group of the embedded log: one worker a partition, shared out among the group's members.
import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeOptions, TopicRecord } from "../topic-log.ts";
import type { Partition } from "./embedded-log.ts";
import type { EmbeddedRecords } from "./records.ts";

export type Member = Required<ConsumeOptions>;

export interface Group {
	join(member: Member): Promise<void>;
	leave(member: Member): Promise<void>;
	lag(member: Member): Record<string, number>;
	/** Resolves once all that was handled is committed. */
	flush(): Promise<void>;
	close(): Promise<void>;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
/** Commits are gathered for so long: one lost with the process costs a redelivery, one each would cost the session's time. */
const COMMIT_AFTER_MS = 50;
const STOP_WITHIN_MS = 5_000;

interface Worker {
	member: Member;
	partition: Partition;
	stop(): Promise<void>;
}

export function openGroup(name: string, records: EmbeddedRecords, partitionsOf: (topic: string) => Partition[]): Group {
	const members: Member[] = [];
	const workers = new Map<Partition, Worker>();
	/** Where each partition goes on, handled though perhaps not committed yet. */
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
				// What has moved on meanwhile is still due; after a failure everything is.
				for (const [partition, next] of due) if (uncommitted.get(partition) === next) uncommitted.delete(partition);
			});
		return committing;
	};

	const commit = (partition: Partition, next: number) => {
		positions.set(partition, next);
		uncommitted.set(partition, next);
		// What a failed commit leaves uncommitted goes with the next one, or is redelivered.
		commitTimer ??= setTimeout(() => flush().catch(() => {}), COMMIT_AFTER_MS);
	};

	const fetch = async ({ tail, topic, partition, next }: Partition, from: number, maxRecords: number): Promise<TopicRecord[]> => {
		if (from >= next) return [];
		const first = tail[0]?.offset ?? Number.POSITIVE_INFINITY;
		return from >= first ? tail.slice(from - first, from - first + maxRecords) : records.read(topic, partition, from, maxRecords);
	};

	const work = (member: Member, partition: Partition): Worker => {
		const stopping = new AbortController();
		let first = true;
		let pauseMs = 0;
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
			pauseMs =
				next >= end ? 0 : next > from ? FIRST_PAUSE_MS : Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
			if (pauseMs > 0) await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
		};
		const run = async () => {
			while (!stopping.signal.aborted) await step();
		};

		const woken = () => wake();
		partition.wake.add(woken);
		const running = run();
		return {
			member,
			partition,
			async stop() {
				stopping.abort();
				partition.wake.delete(woken);
				wake();
				const tooLong = new AbortController();
				await Promise.race([running, delay(STOP_WITHIN_MS, undefined, { signal: tooLong.signal, ref: false }).catch(() => {})]);
				tooLong.abort();
			}
		};
	};

	/** Gives every partition to one of the members that want its topic; who keeps a partition goes on undisturbed. */
	const assign = async () => {
		const wanted = new Map<Partition, Member>();
		for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
			const takers = members.filter(({ topics }) => topics.includes(topic));
			for (const partition of partitionsOf(topic)) wanted.set(partition, takers[partition.partition % takers.length]!);
		}
		const moved = [...workers.values()].filter(({ partition, member }) => wanted.get(partition) !== member);
		await Promise.all(moved.map(worker => worker.stop()));
		for (const { partition } of moved) workers.delete(partition);
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
			const behind: Record<string, number> = {};
			for (const { partition, member: owner } of workers.values()) {
				if (owner !== member) continue;
				behind[partition.topic] = (behind[partition.topic] ?? 0) + partition.next - (positions.get(partition) ?? 0);
			}
			return behind;
		},
		flush,
		async close() {
			members.length = 0;
			await reassign();
			await flush();
		}
	};
}
