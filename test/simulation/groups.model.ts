// Consumer groups of the topics in memory: who reads which partition, and how far each group has come.
import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeOptions, Consumer } from "../../mixins/topics/topic-log.ts";
import type { Faults } from "./injected-faults.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";
import type { Partition } from "./topics.model.ts";

const SESSION_TIMEOUT_MS = 8_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
const MOST_RECORDS = 12;

interface Member extends ConsumeOptions {
	actor: Actor;
	/** Batches under way, by partition: they outlive the assignment under which they were handed over. */
	busy: Map<Partition, Promise<unknown>>;
}

interface Reader {
	member: Member;
	/** The partition has been given to somebody else: what it commits is refused. */
	isRevoked: boolean;
	/** Whether it knows that. */
	isAware: boolean;
	/** Hands over again from here. */
	rewindTo: number | undefined;
	wake: () => void;
	/** Called when there are more records. */
	woken: () => void;
}

interface Place {
	partition: Partition;
	committed: number;
	reader: Reader | undefined;
}

export interface Groups {
	join(options: ConsumeOptions, actor: Actor): Promise<Consumer>;
	committed(group: string, topic: string): number[];
	/** A member has gone without a goodbye: it is missed after a while. */
	lose(actor: Actor): void;
	/** Some partition is given to another member, while the former one goes on with what it has, and may not know. */
	reassign(): void;
	/** Some partition is handed over again from an earlier offset on. */
	rewind(): void;
	/** Whether every group has read everything. */
	areDone(): boolean;
}

export function groupsOf(scheduler: Scheduler, faults: Faults, partitionsOf: (topic: string) => Partition[]): Groups {
	const { random } = scheduler;
	const groups = new Map<string, { members: Member[]; places: Place[] }>();
	const everyPlace = () => [...groups.values()].flatMap(({ places, members }) => places.map(place => ({ place, members })));

	/** One batch; answers whether to go on. */
	const handOver = async (reader: Reader, place: Place, from: number, first: boolean): Promise<number | undefined> => {
		const { member } = reader;
		const { topic, partition, records } = place.partition;
		const name = `${member.group} ${topic}/${partition}`;
		await scheduler.step(`${name} fetch ${from}`);
		if (reader.isRevoked) return undefined;
		const some = records.slice(from, from + random.between(1, MOST_RECORDS));
		const batch = { topic, partition, records: some, endOffset: records.length, first };
		const handling = member.handler({ ...batch, isCurrent: () => !(reader.isRevoked && reader.isAware) });
		member.busy.set(
			place.partition,
			handling.catch(() => {})
		);
		const next = await handling.catch(() => from);
		await scheduler.step(`${name} commit ${next}`);
		// A commit that is lost shows when somebody else goes on.
		if (!reader.isRevoked && next > from && !faults.hits("lost")) place.committed = next;
		return next;
	};

	const read = async (reader: Reader, place: Place) => {
		await reader.member.busy.get(place.partition);
		let from = place.committed;
		let pauseMs = 0;
		for (let first = true; !reader.isRevoked; ) {
			from = reader.rewindTo ?? from;
			reader.rewindTo = undefined;
			const { records } = place.partition;
			// What could not be committed goes with the next, or once more when there is nothing else to do.
			if (from >= records.length && place.committed < from) place.committed = from;
			if (from >= records.length) {
				await new Promise<void>(resolve => {
					reader.wake = resolve;
				});
				continue;
			}
			const end = Math.min(records.length, from + MOST_RECORDS);
			const next = await handOver(reader, place, from, first);
			if (next === undefined) return;
			first = false;
			pauseMs = next > from ? 0 : Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
			if (next < end && pauseMs > 0) await delay(pauseMs);
			from = next;
		}
	};

	const give = (place: Place, member: Member | undefined) => {
		const before = place.reader;
		if (before) {
			before.isRevoked = true;
			place.partition.wake.delete(before.woken);
			before.wake();
		}
		place.reader = undefined;
		if (!member) return;
		const reader: Reader = {
			member,
			isRevoked: false,
			isAware: random.chance(0.5),
			rewindTo: undefined,
			wake: () => {},
			woken: () => reader.wake()
		};
		place.reader = reader;
		place.partition.wake.add(reader.woken);
		scheduler.note(`${place.partition.topic}/${place.partition.partition} of ${member.group} to ${member.actor.name}`);
		actAs(member.actor, () => void read(reader, place).catch(error => scheduler.fail(error)));
	};

	const wanting = (members: Member[], { partition }: Place) => members.filter(({ topics }) => topics.includes(partition.topic));

	return {
		async join(options, actor) {
			const group = groups.get(options.group) ?? { members: [], places: [] };
			groups.set(options.group, group);
			const member: Member = { ...options, actor, busy: new Map() };
			// Whoever had this name before has gone.
			const gone = group.members.filter(other => other.actor.name === actor.name);
			group.members = [...group.members.filter(other => !gone.includes(other)), member];
			for (const topic of options.topics)
				for (const partition of partitionsOf(topic))
					if (!group.places.some(place => place.partition === partition))
						group.places.push({ partition, committed: 0, reader: undefined });
			for (const place of group.places) {
				const owner = place.reader?.member;
				if (!owner || gone.includes(owner) || random.chance(1 / group.members.length))
					give(place, random.pick(wanting(group.members, place)));
			}
			return { trouble: () => undefined, lag: () => ({}), stop: async () => {} };
		},

		committed: (name, topic) => {
			const places = groups.get(name)?.places.filter(({ partition }) => partition.topic === topic) ?? [];
			return partitionsOf(topic).map(partition => places.find(place => place.partition === partition)?.committed || -1);
		},

		lose(actor) {
			actAs(undefined, () =>
				scheduler.after(SESSION_TIMEOUT_MS, `${actor.name} is missed`, () => {
					for (const group of groups.values()) {
						const before = group.members.length;
						group.members = group.members.filter(member => member.actor !== actor);
						if (group.members.length === before) continue;
						for (const place of group.places)
							if (place.reader?.member.actor === actor) {
								const left = wanting(group.members, place);
								give(place, left.length > 0 ? random.pick(left) : undefined);
							}
					}
				})
			);
		},

		reassign() {
			const all = everyPlace().filter(({ members, place }) => wanting(members, place).length > 0);
			if (all.length === 0) return;
			const { place, members } = random.pick(all);
			give(place, random.pick(wanting(members, place)));
		},

		rewind() {
			const all = everyPlace().filter(({ place }) => place.committed > 0 && place.reader);
			if (all.length === 0) return;
			const { place } = random.pick(all);
			const to = random.between(0, place.committed - 1);
			scheduler.note(`${place.reader!.member.group} ${place.partition.topic}/${place.partition.partition} again from ${to}`);
			place.committed = to;
			place.reader!.rewindTo = to;
			place.reader!.wake();
		},

		areDone: () => everyPlace().every(({ place }) => place.committed === place.partition.records.length)
	};
}
