// The seats that the user has picked and not held yet.

export const MAX_PICKED = 10;

/** @param {() => void} onChange */
export function createPick(onChange) {
	const picked = new Set();

	return {
		has: name => picked.has(name),
		/** In the order in which they were picked. */
		names: () => [...picked],
		/** Picks the seat, or removes it from the pick. Returns false if there are too many already. */
		toggle: name => {
			if (!picked.delete(name)) {
				if (picked.size === MAX_PICKED) return false;
				picked.add(name);
			}
			onChange();
			return true;
		},
		/** Removes these seats and keeps the others. Returns those that were picked. */
		remove: names => {
			const removed = names.filter(name => picked.delete(name));
			if (removed.length > 0) onChange();
			return removed;
		}
	};
}
