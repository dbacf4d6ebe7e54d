// The cache of the statuses of seats. Its entries are fenced by the random revision of the map: an outdated entry is never used, also not after Postgres
// was restored, and a lost one is read from Postgres again.

/** Never rejects: an unavailable cache is an empty one. */
export interface StatusCache {
	/** The letters that were set for the show under exactly this revision. */
	get(showId: string, revision: string): Promise<string | undefined>;
	set(showId: string, revision: string, letters: string): void;
}

/** The newest shows in this process, as many as have this many seats together. */
export function memoryCache(maxSeats = 1_000_000): StatusCache {
	const entries = new Map<string, { revision: string; letters: string }>();
	let seats = 0;
	const remove = (showId: string) => {
		seats -= entries.get(showId)?.letters.length ?? 0;
		entries.delete(showId);
	};

	return {
		async get(showId, revision) {
			const entry = entries.get(showId);
			return entry?.revision === revision ? entry.letters : undefined;
		},

		set(showId, revision, letters) {
			remove(showId);
			entries.set(showId, { revision, letters });
			seats += letters.length;
			for (const [oldest] of entries) {
				if (seats <= maxSeats || oldest === showId) break;
				remove(oldest);
			}
		}
	};
}
