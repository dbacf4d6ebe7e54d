// The open holds of this account. Answers, events and lists may arrive in any order: a hold that has ended does not return, and its end is reported once.

/** The server's time is known to the second only. */
const CLOCK_TOLERANCE_MS = 2_000;

/**
 * @param {object} options
 * @param {(hold: { holdId: string, showId: string, seats: string[] }) => void} options.onExpired
 * @param {() => void} options.onChange
 * @param {() => number} options.nowMs the server's time
 */
export function createHoldStore({ onExpired, onChange, nowMs }) {
	const holds = new Map();
	const ended = new Set();

	function end(hold, isExpired) {
		if (ended.has(hold.holdId)) return;
		ended.add(hold.holdId);
		holds.delete(hold.holdId);
		if (isExpired) onExpired(hold);
	}

	const put = hold => {
		if (!ended.has(hold.holdId)) holds.set(hold.holdId, hold);
	};

	return {
		/** The one that ends first comes first. */
		list: () => [...holds.values()].sort((one, other) => Date.parse(one.expiresAt) - Date.parse(other.expiresAt)),
		/** Whether this account holds the seat. */
		hasSeat: (showId, name) => [...holds.values()].some(hold => hold.showId === showId && hold.seats.includes(name)),
		/** Applies the list of all open holds: a hold that is missing has expired, or was confirmed or released elsewhere. */
		read: open => {
			const ids = new Set(open.map(({ holdId }) => holdId));
			for (const hold of [...holds.values()])
				if (!ids.has(hold.holdId)) end(hold, Date.parse(hold.expiresAt) <= nowMs() + CLOCK_TOLERANCE_MS);
			for (const hold of open) put(hold);
			onChange();
		},
		/** Applies a hold that was made here. */
		put: hold => {
			put(hold);
			onChange();
		},
		/** The server reports that the hold has expired. */
		expire: hold => {
			end(hold, true);
			onChange();
		},
		/** The hold was confirmed or released here. */
		remove: hold => {
			end(hold, false);
			onChange();
		}
	};
}
