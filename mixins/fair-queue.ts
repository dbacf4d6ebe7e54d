/**
 * A queue whose clients take turns: the next item is the oldest one of the client that has waited longest for a turn. A client with thousands of items
 * delays another client's item by one item, not by all of its own.
 */
export interface FairQueue<Item> {
	readonly length: number;
	push(item: Item): void;
	/** The item that `take` would return next; undefined if the queue is empty. */
	peek(): Item | undefined;
	/** Removes and returns the next item; undefined if the queue is empty. */
	take(): Item | undefined;
}

/** `keyOf`: the client of an item. Items of one client stay in the order of their arrival. */
export function fairQueue<Item>(keyOf: (item: Item) => string): FairQueue<Item> {
	/** The clients that have items, in the order of their turns. */
	const queues = new Map<string, Item[]>();
	let length = 0;

	return {
		get length() {
			return length;
		},

		push(item) {
			const key = keyOf(item);
			const queue = queues.get(key);
			if (queue) queue.push(item);
			else queues.set(key, [item]);
			length++;
		},

		peek: () => queues.values().next().value?.[0],

		take() {
			const [turn] = queues;
			if (!turn) return undefined;
			const [key, queue] = turn;
			const item = queue.shift();
			length--;
			if (queue.length === 0) queues.delete(key);
			else if (queues.size > 1) {
				queues.delete(key);
				queues.set(key, queue);
			}
			return item;
		}
	};
}
