// Random histories: records arrive, partitions change owners, and calls to the store are delayed, reordered or lost.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { unavailable } from "../../mixins/errors.ts";
import type { ReceivedPick } from "./selections.rules.ts";
import type { Change, SelectionStore } from "./selections.store.ts";
import { type CountedPicks, tally } from "./selections.tally.ts";

/** A pick as a handler of the topics mixin receives it. */
export const pickedAt = (partition: number, offset: number, id: string, name: string, user_id = "user"): ReceivedPick => ({
	message: { id, name, user_id },
	record: { topic: "Selections", partition, offset, key: Buffer.from(id), value: null, headers: {}, timestampMs: 0 },
	requestID: `request-${offset}`,
	ctx: { call: () => Promise.reject(new Error("the tally calls no action")) }
});

const PARTITIONS = 2;
const OWNERS = 3;
const NAMES = ["a", "b", "c"];

/** A write can also be stored in part; then it fails. */
type CallOutcome = "answered" | "request lost" | "response lost" | "ids lost" | "results lost";
type Command =
	| { type: "append"; partition: number; id: number; name: number }
	/** An owner gets a partition and reads `records` records, starting `back` records before the committed offset. */
	| { type: "deliver"; partition: number; owner: number; back: number; records: number }
	/** One of the waiting calls runs, with this outcome. */
	| { type: "respond"; which: number; outcome: CallOutcome };

const append = fc.record({
	type: fc.constant("append" as const),
	partition: fc.nat(PARTITIONS - 1),
	id: fc.nat(7),
	name: fc.nat(2)
});
const deliver = fc.record({
	type: fc.constant("deliver" as const),
	partition: fc.nat(PARTITIONS - 1),
	owner: fc.nat(OWNERS - 1),
	back: fc.nat(6),
	records: fc.integer({ min: 1, max: 8 })
});
const answerCall = fc.record({
	type: fc.constant("respond" as const),
	which: fc.nat(20),
	outcome: fc.oneof(
		{ weight: 8, arbitrary: fc.constant<CallOutcome>("answered") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("request lost") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("response lost") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("ids lost") },
		{ weight: 1, arbitrary: fc.constant<CallOutcome>("results lost") }
	)
});

export const commands: fc.Arbitrary<Command[]> = fc.array(
	fc.oneof({ weight: 3, arbitrary: append }, { weight: 2, arbitrary: deliver }, { weight: 8, arbitrary: answerCall }),
	{ minLength: 20, maxLength: 150, size: "max" }
);

/** What is stored of a write with this outcome. */
function partOf(change: Change, outcome: CallOutcome): Change {
	if (outcome === "ids lost") return { ...change, selections: [] };
	if (outcome === "results lost") return { ...change, totals: new Map(), appliedOffset: -1 };
	return change;
}

/** Holds back every call to the store until `next` runs it. */
function delayCalls(store: SelectionStore) {
	const waiting: { step: keyof SelectionStore; call: (outcome: CallOutcome) => Promise<void> }[] = [];
	const gated = new Proxy(store, {
		get:
			(target, step: keyof SelectionStore) =>
			(...args: never[]) =>
				new Promise((resolve, reject) => {
					const call = async (outcome: CallOutcome) => {
						if (outcome === "request lost") return reject(unavailable("the store"));
						const method = target[step] as (...args: unknown[]) => Promise<unknown>;
						const answer = await method(...(step === "write" ? [args[0], partOf(args[1]!, outcome)] : args));
						if (outcome === "answered") resolve(answer);
						else reject(unavailable("the store"));
					};
					waiting.push({ step, call });
				})
	});
	const next = async (which: number, outcome: CallOutcome) => {
		const [one] = waiting.splice(which % Math.max(waiting.length, 1), 1);
		await one?.call(outcome);
		// Lets the caller continue to its next call.
		await nextTurn();
		return one?.step;
	};
	return { gated, next, isIdle: () => waiting.length === 0 };
}

/** Runs a history and then delivers everything without faults; fails if a promise is broken. */
export async function run(history: Command[], store: SelectionStore, partitions: number[]) {
	const mark = randomUUID();
	const names = NAMES.map(name => `${name}-${mark}`);
	const { gated, next, isIdle } = delayCalls(store);
	const logs = partitions.map((): ReceivedPick[] => []);
	const committed = partitions.map(() => 0);
	const ownerOf: (object | undefined)[] = partitions.map(() => undefined);
	const owners = Array.from({ length: OWNERS }, () => ({ count: tally(gated), busyPartitions: new Set<number>() }));
	const completed: CountedPicks[] = [];

	const deliver = async (owner: (typeof owners)[number], index: number, from: number, to: number) => {
		const received = logs[index]!.slice(from, to);
		if (received.length === 0 || owner.busyPartitions.has(index)) return;
		const first = ownerOf[index] !== owner;
		ownerOf[index] = owner;
		owner.busyPartitions.add(index);
		try {
			const currentEnd = async () => logs[index]!.length;
			const batch = { received, partition: partitions[index]!, endOffset: logs[index]!.length, currentEnd, first };
			completed.push(await owner.count(batch));
			committed[index] = Math.max(committed[index]!, from + received.length);
		} catch (error) {
			assert.equal((error as { type?: string }).type, "UNAVAILABLE", (error as Error).stack);
		} finally {
			owner.busyPartitions.delete(index);
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
		} else if (command.type === "deliver") {
			const from = Math.max(0, committed[command.partition]! - command.back);
			void deliver(owners[command.owner]!, command.partition, from, from + command.records);
			await nextTurn();
		} else {
			if ((await next(command.which, command.outcome)) === "write") await checkCounts();
		}
	}

	// A new owner reads to the end, while the calls of former owners are still waiting and finish in between.
	const lastOwner = { count: tally(gated), busyPartitions: new Set<number>() };
	for (const [index, log] of logs.entries()) void deliver(lastOwner, index, committed[index]!, log.length);
	await nextTurn();
	for (let step = 0; !isIdle(); step++) {
		if ((await next(step * 7, "answered")) === "write") await checkCounts();
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
