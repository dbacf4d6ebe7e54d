// Changes of one thing, told by several topics: each is passed on once, and in the order in which they were made.
import type { Change } from "../../define.ts";

export interface SequenceOptions {
	/** A change waits so long for those before it, at most; then it goes first. */
	holdMs?: number;
	/** Of so many things the last change is remembered; those longest unchanged are forgotten first. */
	maxKeys?: number;
}

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

	const giveUp = (line: Line<Item>) => {
		line.timer = undefined;
		line.isGuess = false;
		const newest = Math.max(...line.held.keys());
		for (let seq = line.next; seq < newest; seq++) if (!line.held.has(seq)) line.missing.add(seq);
		for (const [seq, item] of [...line.held].sort(([one], [other]) => one - other)) {
			line.held.delete(seq);
			line.next = seq + 1;
			pass(item);
		}
	};

	return ({ key, seq, afterMs = Number.POSITIVE_INFINITY }: Change, item: Item, heardForMs = Number.POSITIVE_INFINITY) => {
		const isFirst = seq === 1 || afterMs > Math.min(holdMs, heardForMs);
		const line: Line<Item> = lines.get(key) ?? {
			next: isFirst ? seq : seq - 1,
			isGuess: !isFirst,
			held: new Map(),
			missing: new Set()
		};
		remember(key, line);
		if (line.isGuess && seq <= line.next) {
			// One step nearer to the first; the one before it, if it was made just before, may still come.
			line.next = isFirst ? seq : seq - 1;
			line.isGuess = !isFirst;
		}
		if (seq < line.next) {
			if (line.missing.delete(seq)) pass(item);
			return;
		}
		line.held.set(seq, item);
		passDue(line);
		if (line.held.size > 0) line.timer ??= setTimeout(() => giveUp(line), holdMs).unref();
	};
}
