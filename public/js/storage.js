// What this page keeps in localStorage. That may be full, damaged or forbidden: what cannot be kept there lives as long as the tab.

/** @type {Map<string, string>} */
const inMemory = new Map();

/** @returns {string | undefined} */
export const read = key => inMemory.get(key) ?? orNothing(() => localStorage.getItem(key)) ?? undefined;

/** What was written as JSON; undefined if there is nothing, or something else. */
export const readJson = key => orNothing(() => JSON.parse(read(key)));

export function write(key, text) {
	inMemory.set(key, text);
	orNothing(() => {
		localStorage.setItem(key, text);
		inMemory.delete(key);
	});
}

export function remove(key) {
	inMemory.delete(key);
	orNothing(() => localStorage.removeItem(key));
}

/** All keys that begin with a prefix. */
export const keys = prefix =>
	[...inMemory.keys(), ...(orNothing(() => Object.keys(localStorage)) ?? [])].filter(key => key.startsWith(prefix));

function orNothing(access) {
	try {
		return access();
	} catch {
		return undefined;
	}
}
