// The open holds of this account. Answers, events and lists may arrive in any order: a hold that has ended does not return, and its expiry is reported once.

/**
 * @param {object} options
 * @param {(hold: { holdId: string, showId: string, seats: string[] }) => void} options.onExpired
 * @param {() => void} options.onChange
 */
export function createHoldStore({ onExpired, onChange }) {
	const holds = new Map();
	const ended = new Set();
	/** Those of which this page knows how they ended: expired, confirmed or released. */
	const explained = new Set();

	function end({ holdId }) {
		ended.add(holdId);
		holds.delete(holdId);
	}

	const put = hold => {
		if (!ended.has(hold.holdId)) holds.set(hold.holdId, hold);
	};

	return {
		/** The one that ends first comes first. */
		list: () => [...holds.values()].sort((one, other) => Date.parse(one.expiresAt) - Date.parse(other.expiresAt)),
		/** Whether this account holds the seat. */
		hasSeat: (showId, name) => [...holds.values()].some(hold => hold.showId === showId && hold.seats.includes(name)),
		/** Applies the list of all open holds. One that is missing ends without a report: it may have been confirmed elsewhere in time. */
		read: open => {
			const ids = new Set(open.map(({ holdId }) => holdId));
			for (const hold of [...holds.values()]) if (!ids.has(hold.holdId)) end(hold);
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
			end(hold);
			if (!explained.has(hold.holdId)) onExpired(hold);
			explained.add(hold.holdId);
			onChange();
		},
		/** The hold was confirmed or released here. */
		remove: hold => {
			end(hold);
			explained.add(hold.holdId);
			onChange();
		}
	};
}
