// Stores each item under its own key, so that two tabs never overwrite each other's items.
import { keys, readJson, remove, write } from "./storage.js";

/** @param {string} prefix the key prefix; the rest of a key is the item's id */
export const openStore = prefix => ({
	/** All items, the oldest first. */
	load: () =>
		keys(prefix)
			.map(readJson)
			.filter(item => typeof item?.id === "string")
			.sort((one, other) => one.addedAtMs - other.addedAtMs),
	save: item => write(prefix + item.id, JSON.stringify(item)),
	remove: id => remove(prefix + id),
	/** Calls back with the id of an item that another tab has removed; returns the function that stops listening. */
	onRemoved: callback => {
		const listen = ({ key, newValue }) => {
			if (newValue === null && key?.startsWith(prefix)) callback(key.slice(prefix.length));
		};
		addEventListener("storage", listen);
		return () => removeEventListener("storage", listen);
	}
});
