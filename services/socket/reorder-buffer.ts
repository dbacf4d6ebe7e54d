// Changes of one thing that several topics report: each is passed on once, in the order in which the changes were made.
import type { Change } from "../../contract/topic.ts";

export interface ReorderOptions {
	/** A change waits at most this long for the changes before it; then it is passed on before them. */
	holdMs?: number;
	/** The last change is remembered for this many things; the ones longest unchanged are evicted first. */
	maxKeys?: number;
}

const MAX_MISSING = 1_000;

/** The changes of one thing. */
interface Sequence<Item> {
	/** The number that is passed on next. */
	next: number;
	/** `next` is a guess: the first change that arrived was not number 1, and earlier ones may still arrive. */
	isGuess: boolean;
	/** Changes that wait for earlier ones. */
	held: Map<number, Item>;
	/** Numbers whose wait has timed out; they are passed on late. */
	missing: Set<number>;
	timer?: NodeJS.Timeout;
}

/**
 * Returns a function that accepts changes repeated and out of order, and calls `pass` for each once, in order. A topic keeps the order of one key
 * among its own messages only; across topics this buffer makes the order, by waiting for the missing numbers. `receivedForMs`: for how long changes
 * have been received here; those made earlier do not arrive.
 */
export function reorderBuffer<Item>(pass: (item: Item) => void, { holdMs = 3_000, maxKeys = 100_000 }: ReorderOptions = {}) {
	const sequences = new Map<string, Sequence<Item>>();

	const remember = (key: string, sequence: Sequence<Item>) => {
		sequences.delete(key);
		sequences.set(key, sequence);
		if (sequences.size <= maxKeys) return;
		const [oldest, { timer, held }] = sequences.entries().next().value!;
		if (held.size > 0) return;
		clearTimeout(timer);
		sequences.delete(oldest);
	};

	const passNext = (sequence: Sequence<Item>) => {
		for (let item = sequence.held.get(sequence.next); item !== undefined; item = sequence.held.get(sequence.next)) {
			sequence.held.delete(sequence.next++);
			pass(item);
		}
		if (sequence.held.size > 0) return;
		clearTimeout(sequence.timer);
		sequence.timer = undefined;
	};

	/** Records the absent numbers from `from` to before `to`: if they arrive late, they are passed on. */
	const recordMissing = (sequence: Sequence<Item>, from: number, to: number) => {
		// A gap this wide is no delay: nothing in it is expected any more.
		if (to - from > MAX_MISSING) return;
		for (let seq = from; seq < to; seq++) if (!sequence.held.has(seq)) sequence.missing.add(seq);
	};

	const onTimeout = (sequence: Sequence<Item>) => {
		sequence.timer = undefined;
		recordMissing(sequence, sequence.isGuess ? 1 : sequence.next, Math.max(...sequence.held.keys()));
		sequence.isGuess = false;
		for (const [seq, item] of [...sequence.held].sort(([one], [other]) => one - other)) {
			sequence.held.delete(seq);
			sequence.next = seq + 1;
			pass(item);
		}
	};

	const sequenceFrom = (seq: number, isFirst: boolean, isOneTopic: boolean): Sequence<Item> => {
		const sequence: Sequence<Item> = { next: isFirst ? seq : seq - 1, isGuess: !isFirst, held: new Map(), missing: new Set() };
		if (isFirst && !isOneTopic) recordMissing(sequence, 1, seq);
		return sequence;
	};

	return ({ key, seq, afterMs }: Change, item: Item, receivedForMs = Number.POSITIVE_INFINITY) => {
		// Changes that one topic alone reports arrive in order: an absent earlier one was published before the room had members.
		const isOneTopic = afterMs === undefined;
		const isFirst = seq === 1 || isOneTopic || afterMs > Math.min(holdMs, receivedForMs);
		const sequence = sequences.get(key) ?? sequenceFrom(seq, isFirst, isOneTopic);
		remember(key, sequence);
		if (sequence.isGuess && seq <= sequence.next) {
			// One number nearer to the first; the change before this one may still arrive if it was made just before.
			sequence.next = isFirst ? seq : seq - 1;
			sequence.isGuess = !isFirst;
		}
		if (isOneTopic && seq > sequence.next) sequence.next = seq;
		if (seq < sequence.next) {
			if (sequence.missing.delete(seq)) pass(item);
			return;
		}
		sequence.held.set(seq, item);
		passNext(sequence);
		if (sequence.held.size > 0) sequence.timer ??= setTimeout(() => onTimeout(sequence), holdMs).unref();
	};
}
