// Model of the consumer groups: which member reads which partition, and how far each group has committed.
import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeOptions, Consumer, TopicRecord } from "../../mixins/topics/topic-log.ts";
import type { Faults } from "./injected-faults.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

export interface Partition {
	topic: string;
	partition: number;
	records: TopicRecord[];
	maxBytes: number;
	/** Called when records were appended. */
	wake: Set<() => void>;
}

const SESSION_TIMEOUT_MS = 8_000;
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
const MAX_BATCH_RECORDS = 12;
/** Kafka's consumers collect commits for so long. */
const COMMIT_DELAY_MS = 250;

interface Member extends ConsumeOptions {
	actor: Actor;
	/** Running batches by partition: a batch may outlive the assignment under which it was delivered. */
	busy: Map<Partition, Promise<unknown>>;
}

interface Reader {
	member: Member;
	/** The partition was assigned to another member: this reader's commits are rejected. */
	isRevoked: boolean;
	/** Whether the member knows that it lost the partition. */
	isAware: boolean;
	/** The offset from which records are delivered again. */
	rewindTo: number | undefined;
	/** All before it is handled. */
	handled: number;
	isCommitting: boolean;
	wake: () => void;
	/** Called when records were appended. */
	onAppend: () => void;
}

interface Assignment {
	partition: Partition;
	committed: number;
	reader: Reader | undefined;
}

export interface Groups {
	join(options: ConsumeOptions, actor: Actor): Promise<Consumer>;
	committed(group: string, topic: string): number[];
	/** The member's process was killed: the group removes the member after the session timeout. */
	removeAfterTimeout(actor: Actor): void;
	/** Reassigns a random partition, or one of this topic. The former reader completes its running batch, and may not know that it lost the partition. */
	reassign(topic?: string): void;
	/** Delivers a random partition again from an earlier offset. */
	rewind(): void;
	/** Whether every group has committed all records. */
	areDone(): boolean;
}

export function groupsOf(scheduler: Scheduler, faults: Faults, partitionsOf: (topic: string) => Partition[]): Groups {
	const { random } = scheduler;
	const groups = new Map<string, { members: Member[]; assignments: Assignment[] }>();
	const allAssignments = () =>
		[...groups.values()].flatMap(({ assignments, members }) => assignments.map(assignment => ({ assignment, members })));

	/** Commits what was handled, a little later; a lost commit is repeated. */
	const commitSoon = (reader: Reader, assignment: Assignment) => {
		if (reader.isCommitting) return;
		reader.isCommitting = true;
		const { topic, partition } = assignment.partition;
		scheduler.after(random.between(0, COMMIT_DELAY_MS), `${reader.member.group} ${topic}/${partition} commit`, () => {
			reader.isCommitting = false;
			if (reader.isRevoked) return;
			if (faults.shouldInject("lost")) commitSoon(reader, assignment);
			else assignment.committed = reader.handled;
		});
	};

	/** Delivers one batch. Resolves to the next offset; undefined if the partition was revoked. */
	const deliverBatch = async (
		reader: Reader,
		assignment: Assignment,
		from: number,
		first: boolean
	): Promise<number | undefined> => {
		const { member } = reader;
		const { topic, partition, records } = assignment.partition;
		const name = `${member.group} ${topic}/${partition}`;
		await scheduler.step(`${name} fetch ${from}`);
		if (reader.isRevoked) return undefined;
		const some = records.slice(from, from + random.between(1, MAX_BATCH_RECORDS));
		const batch = { topic, partition, records: some, endOffset: records.length, first };
		const handling = member.handler({ ...batch, isCurrent: () => !(reader.isRevoked && reader.isAware) });
		member.busy.set(
			assignment.partition,
			handling.catch(() => {})
		);
		const next = await handling.catch(() => from);
		await scheduler.step(`${name} handled to ${next}`);
		if (next > from && reader.rewindTo === undefined) {
			reader.handled = next;
			commitSoon(reader, assignment);
		}
		return next;
	};

	const read = async (reader: Reader, assignment: Assignment) => {
		await reader.member.busy.get(assignment.partition);
		let from = assignment.committed;
		let pauseMs = 0;
		for (let first = true; !reader.isRevoked; ) {
			from = reader.rewindTo ?? from;
			reader.rewindTo = undefined;
			const { records } = assignment.partition;
			if (from >= records.length) {
				await new Promise<void>(resolve => {
					reader.wake = resolve;
				});
				continue;
			}
			const end = Math.min(records.length, from + MAX_BATCH_RECORDS);
			const next = await deliverBatch(reader, assignment, from, first);
			if (next === undefined) return;
			first = false;
			pauseMs = next > from ? 0 : Math.min(Math.max(pauseMs * 2, MIN_PAUSE_MS), MAX_PAUSE_MS);
			if (next < end && pauseMs > 0) await delay(pauseMs);
			from = next;
		}
	};

	const assign = (assignment: Assignment, member: Member | undefined) => {
		const before = assignment.reader;
		if (before) {
			before.isRevoked = true;
			assignment.partition.wake.delete(before.onAppend);
			before.wake();
		}
		assignment.reader = undefined;
		if (!member) return;
		const reader: Reader = {
			member,
			isRevoked: false,
			isAware: random.chance(0.5),
			rewindTo: undefined,
			handled: assignment.committed,
			isCommitting: false,
			wake: () => {},
			onAppend: () => reader.wake()
		};
		assignment.reader = reader;
		assignment.partition.wake.add(reader.onAppend);
		scheduler.note(`${assignment.partition.topic}/${assignment.partition.partition} of ${member.group} to ${member.actor.name}`);
		actAs(member.actor, () => void read(reader, assignment).catch(error => scheduler.fail(error)));
	};

	const subscribersOf = (members: Member[], { partition }: Assignment) =>
		members.filter(({ topics }) => topics.includes(partition.topic));

	return {
		async join(options, actor) {
			const group = groups.get(options.group) ?? { members: [], assignments: [] };
			groups.set(options.group, group);
			const member: Member = { ...options, actor, busy: new Map() };
			// A member with the same name is an earlier process of the same node, which has ended.
			const gone = group.members.filter(other => other.actor.name === actor.name);
			group.members = [...group.members.filter(other => !gone.includes(other)), member];
			for (const topic of options.topics)
				for (const partition of partitionsOf(topic))
					if (!group.assignments.some(assignment => assignment.partition === partition))
						group.assignments.push({ partition, committed: 0, reader: undefined });
			for (const assignment of group.assignments) {
				const owner = assignment.reader?.member;
				if (!owner || gone.includes(owner) || random.chance(1 / group.members.length))
					assign(assignment, random.pick(subscribersOf(group.members, assignment)));
			}
			return { problem: () => undefined, lag: () => ({}), stop: async () => {} };
		},

		committed: (name, topic) => {
			const assignments = groups.get(name)?.assignments.filter(({ partition }) => partition.topic === topic) ?? [];
			return partitionsOf(topic).map(
				partition => assignments.find(assignment => assignment.partition === partition)?.committed || -1
			);
		},

		removeAfterTimeout(actor) {
			actAs(undefined, () =>
				scheduler.after(SESSION_TIMEOUT_MS, `${actor.name} session timed out`, () => {
					for (const group of groups.values()) {
						const before = group.members.length;
						group.members = group.members.filter(member => member.actor !== actor);
						if (group.members.length === before) continue;
						for (const assignment of group.assignments)
							if (assignment.reader?.member.actor === actor) {
								const remaining = subscribersOf(group.members, assignment);
								assign(assignment, remaining.length > 0 ? random.pick(remaining) : undefined);
							}
					}
				})
			);
		},

		reassign(topic) {
			const all = allAssignments().filter(
				({ members, assignment }) =>
					subscribersOf(members, assignment).length > 0 && (topic ?? assignment.partition.topic) === assignment.partition.topic
			);
			if (all.length === 0) return;
			const { assignment, members } = random.pick(all);
			assign(assignment, random.pick(subscribersOf(members, assignment)));
		},

		rewind() {
			const all = allAssignments().filter(({ assignment }) => assignment.committed > 0 && assignment.reader);
			if (all.length === 0) return;
			const { assignment } = random.pick(all);
			const to = random.between(0, assignment.committed - 1);
			scheduler.note(
				`${assignment.reader!.member.group} ${assignment.partition.topic}/${assignment.partition.partition} rewound to ${to}`
			);
			assignment.committed = to;
			assignment.reader!.rewindTo = to;
			assignment.reader!.handled = to;
			assignment.reader!.wake();
		},

		areDone: () => allAssignments().every(({ assignment }) => assignment.committed === assignment.partition.records.length)
	};
}
