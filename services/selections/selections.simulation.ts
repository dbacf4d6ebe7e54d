// A made-up history: records arrive, owners come and go, and every call to the store waits for its turn, which may come late or end badly.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { unavailable } from "../../mixins/errors.ts";
import type { ReceivedPick } from "./selections.rules.ts";
import type { SelectionStore } from "./selections.store.ts";
import { type CountedPicks, tally } from "./selections.tally.ts";

/** A record as the topics mixin hands it over. */
export const pickedAt = (partition: number, offset: number, id: string, name: string, user_id = "user"): ReceivedPick => ({
	message: { id, name, user_id },
	record: { topic: "Selections", partition, offset, key: Buffer.from(id), value: null, headers: {}, timestampMs: 0 },
	requestID: `request-${offset}`,
	ctx: { call: () => Promise.reject(new Error("the tally calls nobody")) }
});

const PARTITIONS = 2;
const OWNERS = 3;
const NAMES = ["a", "b", "c"];

type CallOutcome = "answered" | "lost on the way" | "done, but the answer is lost";
type Command =
	| { type: "append"; partition: number; id: number; name: number }
	/** An owner is given a partition and reads so many records, from so far behind what was committed. */
	| { type: "hand over"; partition: number; owner: number; back: number; records: number }
	/** One of the calls that wait has its turn. */
	| { type: "turn"; which: number; fate: CallOutcome };

const append = fc.record({
	type: fc.constant("append" as const),
	partition: fc.nat(PARTITIONS - 1),
	id: fc.nat(7),
	name: fc.nat(2)
});
const handOver = fc.record({
	type: fc.constant("hand over" as const),
	partition: fc.nat(PARTITIONS - 1),
	owner: fc.nat(OWNERS - 1),
	back: fc.nat(6),
	records: fc.integer({ min: 1, max: 8 })
});
const answerCall = fc.record({
	type: fc.constant("turn" as const),
	which: fc.nat(20),
	fate: fc.oneof(
		{ weight: 8, arbitrary: fc.constant<CallOutcome>("answered") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("lost on the way") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("done, but the answer is lost") }
	)
});

export const commands: fc.Arbitrary<Command[]> = fc.array(
	fc.oneof({ weight: 3, arbitrary: append }, { weight: 2, arbitrary: handOver }, { weight: 8, arbitrary: answerCall }),
	{ minLength: 20, maxLength: 150, size: "max" }
);

/** The calls that wait for their turn. */
function delayCalls(store: SelectionStore) {
	const waiting: { step: keyof SelectionStore; call: (fate: CallOutcome) => Promise<void> }[] = [];
	const gated = new Proxy(store, {
		get:
			(target, step: keyof SelectionStore) =>
			(...args: never[]) =>
				new Promise((resolve, reject) => {
					const call = async (fate: CallOutcome) => {
						if (fate === "lost on the way") return reject(unavailable("the store"));
						const answer = await (target[step] as (...args: never[]) => Promise<unknown>)(...args);
						if (fate === "answered") resolve(answer);
						else reject(unavailable("the store"));
					};
					waiting.push({ step, call });
				})
	});
	const next = async (which: number, fate: CallOutcome) => {
		const [one] = waiting.splice(which % Math.max(waiting.length, 1), 1);
		await one?.call(fate);
		// Whoever waited for the answer goes on to its next call.
		await turn();
		return one?.step;
	};
	return { gated, next, isIdle: () => waiting.length === 0 };
}

/** Goes through a history and then lets it end well; fails where a promise is broken. */
export async function run(history: Command[], store: SelectionStore, partitions: number[]) {
	const mark = randomUUID();
	const names = NAMES.map(name => `${name}-${mark}`);
	const { gated, next, isIdle } = delayCalls(store);
	const logs = partitions.map((): ReceivedPick[] => []);
	const committed = partitions.map(() => 0);
	const ownerOf: (object | undefined)[] = partitions.map(() => undefined);
	const owners = Array.from({ length: OWNERS }, () => ({ count: tally(gated), busyWith: new Set<number>() }));
	const completed: CountedPicks[] = [];

	const handOver = async (owner: (typeof owners)[number], index: number, from: number, to: number) => {
		const received = logs[index]!.slice(from, to);
		if (received.length === 0 || owner.busyWith.has(index)) return;
		const first = ownerOf[index] !== owner;
		ownerOf[index] = owner;
		owner.busyWith.add(index);
		try {
			completed.push(await owner.count({ received, partition: partitions[index]!, endOffset: logs[index]!.length, first }));
			committed[index] = Math.max(committed[index]!, from + received.length);
		} catch (error) {
			assert.equal((error as { type?: string }).type, "UNAVAILABLE", (error as Error).stack);
		} finally {
			owner.busyWith.delete(index);
		}
	};

	let before = names.map(() => 0);
	const checkCounts = async () => {
		const counts = (await store.counts(names)).map(({ count }) => count);
		assert.ok(
			counts.every((count, n) => count >= before[n]!),
			`went down from ${before} to ${counts}`
		);
		before = counts;
	};

	for (const command of history) {
		if (command.type === "append") {
			const log = logs[command.partition]!;
			const id = `${command.partition}-${command.id}-${mark}`;
			log.push(pickedAt(partitions[command.partition]!, log.length, id, names[command.name]!));
		} else if (command.type === "hand over") {
			const from = Math.max(0, committed[command.partition]! - command.back);
			void handOver(owners[command.owner]!, command.partition, from, from + command.records);
			await turn();
		} else {
			if ((await next(command.which, command.fate)) === "setTotals") await checkCounts();
		}
	}

	// Somebody new reads on to the end; those of before are still at it, and finish at last.
	const heir = { count: tally(gated), busyWith: new Set<number>() };
	for (const [index, log] of logs.entries()) void handOver(heir, index, committed[index]!, log.length);
	await turn();
	for (let step = 0; !isIdle(); step++) {
		if ((await next(step * 7, "answered")) === "setTotals") await checkCounts();
	}

	const firsts = logs.flatMap(log => log.filter(({ message }, n) => log.findIndex(one => one.message.id === message.id) === n));
	const expected = names.map(name => firsts.filter(({ message }) => message.name === name).length);
	await checkCounts();
	assert.deepEqual(before, expected, "the counts");

	const counted = new Set(completed.flatMap(({ picks }) => picks));
	assert.deepEqual(counted, new Set(firsts), "every first pick was counted in a batch that was completed, and nothing else");
	const highest = names.map(name =>
		Math.max(0, ...completed.flatMap(({ counts }) => counts.filter(one => one.name === name).map(({ count }) => count)))
	);
	assert.deepEqual(highest, expected, "the highest count that was answered is the last word");
}
