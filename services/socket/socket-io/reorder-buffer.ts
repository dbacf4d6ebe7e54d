// Changes of one thing, told by several topics: each is passed on once, and in the order in which they were made.
import type { Change } from "../../../contract/topic.ts";

export interface SequenceOptions {
	/** A change waits so long for those before it, at most; then it goes first. */
	holdMs?: number;
	/** Of so many things the last change is remembered; those longest unchanged are forgotten first. */
	maxKeys?: number;
}

const MAX_MISSING = 1_000;

interface Line<Item> {
	/** The number that is due. */
	next: number;
	/** Whether `next` is a guess: what came first was not number 1, and those before it may be on their way. */
	isGuess: boolean;
	/** Came too early. */
	held: Map<number, Item>;
	/** Were waited for in vain; they are passed on late rather than never. */
	missing: Set<number>;
	timer?: NodeJS.Timeout;
}

/**
 * Answers a function that takes changes as they come, repeated and out of order, and calls `pass` for each once, in order. Topics keep the order
 * of one key among their own messages, but not among each other's: that is made here, by waiting for what is missing. `heardForMs`: for how long
 * changes have been taken here; what was made before that does not come.
 */
export function inSequence<Item>(pass: (item: Item) => void, { holdMs = 3_000, maxKeys = 100_000 }: SequenceOptions = {}) {
	const lines = new Map<string, Line<Item>>();

	const remember = (key: string, line: Line<Item>) => {
		lines.delete(key);
		lines.set(key, line);
		if (lines.size <= maxKeys) return;
		const [oldest, { timer, held }] = lines.entries().next().value!;
		if (held.size > 0) return;
		clearTimeout(timer);
		lines.delete(oldest);
	};

	const passDue = (line: Line<Item>) => {
		for (let item = line.held.get(line.next); item !== undefined; item = line.held.get(line.next)) {
			line.held.delete(line.next++);
			pass(item);
		}
		if (line.held.size > 0) return;
		clearTimeout(line.timer);
		line.timer = undefined;
	};

	/** Those from one number to another that are not here: should they come late all the same, they are passed on. */
	const miss = (line: Line<Item>, from: number, to: number) => {
		// Of a gap so wide that it can be no delay nothing is expected any more.
		if (to - from > MAX_MISSING) return;
		for (let seq = from; seq < to; seq++) if (!line.held.has(seq)) line.missing.add(seq);
	};

	const giveUp = (line: Line<Item>) => {
		line.timer = undefined;
		miss(line, line.isGuess ? 1 : line.next, Math.max(...line.held.keys()));
		line.isGuess = false;
		for (const [seq, item] of [...line.held].sort(([one], [other]) => one - other)) {
			line.held.delete(seq);
			line.next = seq + 1;
			pass(item);
		}
	};

	const lineFrom = (seq: number, isFirst: boolean, isAlone: boolean): Line<Item> => {
		const line: Line<Item> = { next: isFirst ? seq : seq - 1, isGuess: !isFirst, held: new Map(), missing: new Set() };
		if (isFirst && !isAlone) miss(line, 1, seq);
		return line;
	};

	return ({ key, seq, afterMs }: Change, item: Item, heardForMs = Number.POSITIVE_INFINITY) => {
		// Told of by one topic alone, changes come in order: what has not come before this one has been told when nobody listened.
		const isAlone = afterMs === undefined;
		const isFirst = seq === 1 || isAlone || afterMs > Math.min(holdMs, heardForMs);
		const line = lines.get(key) ?? lineFrom(seq, isFirst, isAlone);
		remember(key, line);
		if (line.isGuess && seq <= line.next) {
			// One step nearer to the first; the one before it, if it was made just before, may still come.
			line.next = isFirst ? seq : seq - 1;
			line.isGuess = !isFirst;
		}
		if (isAlone && seq > line.next) line.next = seq;
		if (seq < line.next) {
			if (line.missing.delete(seq)) pass(item);
			return;
		}
		line.held.set(seq, item);
		passDue(line);
		if (line.held.size > 0) line.timer ??= setTimeout(() => giveUp(line), holdMs).unref();
	};
}
