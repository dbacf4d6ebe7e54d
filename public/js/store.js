// Keeps items in localStorage, each under a key of its own, so that two tabs never overwrite each other's.

/** @param {string} prefix of the keys; what follows it is the item's id */
export function openStore(prefix) {
	const read = key => orNothing(() => JSON.parse(localStorage.getItem(key)));
	const keys = () => orNothing(() => Object.keys(localStorage).filter(key => key.startsWith(prefix))) ?? [];

	return {
		/** All items, the oldest first. */
		load: () =>
			keys()
				.map(read)
				.filter(item => typeof item?.id === "string")
				.sort((one, other) => one.addedAtMs - other.addedAtMs),
		save: item => orNothing(() => localStorage.setItem(prefix + item.id, JSON.stringify(item))),
		remove: id => orNothing(() => localStorage.removeItem(prefix + id)),
		/** Calls back with the id of an item that another tab has removed. */
		onRemoved: callback =>
			addEventListener("storage", ({ key, newValue }) => {
				if (newValue === null && key?.startsWith(prefix)) callback(key.slice(prefix.length));
			})
	};
}

/** Storage may be full, damaged or forbidden: what cannot be kept then lives as long as the tab. */
function orNothing(access) {
	try {
		return access();
	} catch {
		return undefined;
	}
}
