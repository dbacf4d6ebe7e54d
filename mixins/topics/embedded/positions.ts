import type { EmbeddedRecords, Position } from "./records.ts";

/** How long positions are collected. After a crash the records of that time are redelivered; each statement takes time of the only database connection. */
const STORE_AFTER_MS = 250;

export type PositionStore = ReturnType<typeof positionStore>;

/** The positions of all groups, cached, and stored together: at most four statements a second, and none without progress. */
export function positionStore(records: Pick<EmbeddedRecords, "positions" | "commit">) {
	const known = new Map<string, Map<number, Position>>();
	const due = new Set<Position>();
	let storing: Promise<void> = Promise.resolve();
	let timer: NodeJS.Timeout | undefined;

	const ofTopic = (group: string, topic: string) => {
		const key = JSON.stringify([group, topic]);
		const positions = known.get(key) ?? new Map<number, Position>();
		known.set(key, positions);
		return positions;
	};

	const store = async () => {
		const positions = [...due];
		if (positions.length === 0) return;
		// A position that changes while they are stored is due again.
		due.clear();
		try {
			await records.commit(positions);
		} catch (error) {
			for (const position of positions) due.add(position);
			throw error;
		}
	};
	const flush = () => {
		clearTimeout(timer);
		timer = undefined;
		storing = storing.catch(() => {}).then(store);
		return storing;
	};

	return {
		/** Reads what is stored. */
		async load() {
			for (const position of await records.positions()) ofTopic(position.group, position.topic).set(position.partition, position);
		},

		/** The next offset of a partition for a group: handled, though perhaps not stored yet; undefined if it has handled nothing. */
		next: (group: string, topic: string, partition: number) => ofTopic(group, topic).get(partition)?.next,

		/** Stores it within a quarter of a second, together with those of other partitions and groups. A position never goes back. */
		storeSoon(position: Position) {
			const positions = ofTopic(position.group, position.topic);
			const cached = positions.get(position.partition) ?? position;
			// A handler that ends long after its partition was reassigned may report less than its successor.
			cached.next = Math.max(cached.next, position.next);
			positions.set(position.partition, cached);
			due.add(cached);
			// A failed statement is repeated with the next position; else its records are redelivered.
			timer ??= setTimeout(() => flush().catch(() => {}), STORE_AFTER_MS);
		},

		/** The group does not consume these topics any more. Answers whether it had a position in them. */
		forget(group: string, topics: string[]): boolean {
			const had = topics.some(topic => ofTopic(group, topic).size > 0);
			for (const topic of topics) ofTopic(group, topic).clear();
			return had;
		},

		/** Resolves once every position is stored. */
		flush
	};
}
