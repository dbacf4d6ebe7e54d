// The seats of the open show, with the status that the server last reported.

/** The categories of a list of seats in its order, with their prices. */
export function categoriesOf(seats) {
	const categories = new Map();
	for (const { category, price } of seats) {
		const known = categories.get(category);
		if (!known) categories.set(category, { number: categories.size, lowest: price, highest: price });
		else {
			known.lowest = Math.min(known.lowest, price);
			known.highest = Math.max(known.highest, price);
		}
	}
	return categories;
}

export function createSeatStore() {
	let showId;
	let version;
	let seats = new Map();
	let categories = new Map();

	/** Returns the names of the seats whose status has changed. */
	function setStatuses(changes) {
		const changed = changes.filter(({ seat, status }) => seats.has(seat) && seats.get(seat).status !== status);
		for (const { seat, status } of changed) seats.get(seat).status = status;
		return changed.map(({ seat }) => seat);
	}

	return {
		get: name => seats.get(name),
		all: () => [...seats.values()],
		categories: () => categories,
		categoryOf: name => categories.get(seats.get(name).category).number,
		/** The number of free seats by category. */
		free: () => {
			const free = new Map(Array.from(categories.keys(), category => [category, 0]));
			for (const { category, status } of seats.values()) if (status === "free") free.set(category, free.get(category) + 1);
			return free;
		},
		/** Applies a whole map. Returns the names of the seats that have changed; undefined if it is another show, which must be drawn. */
		read: map => {
			version = map.version;
			if (map.showId === showId && map.seats.length === seats.size) return setStatuses(map.seats);
			showId = map.showId;
			seats = new Map(map.seats.map(seat => [seat.seat, { ...seat }]));
			categories = categoriesOf(map.seats);
			return undefined;
		},
		/** Applies a change; an old one changes nothing. Returns as `read` does; undefined if a change before it is missing: read the whole map again. */
		apply: update => {
			if (update.showId !== showId || update.version > version + 1) return undefined;
			if (update.version <= version) return [];
			version = update.version;
			return setStatuses(update.seats);
		}
	};
}
