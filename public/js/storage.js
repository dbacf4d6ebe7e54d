// Access to localStorage. It may be full, damaged or forbidden: then values are kept in memory for as long as the tab lives.

/** @type {Map<string, string>} */
const inMemory = new Map();

/** @returns {string | undefined} */
export const read = key => inMemory.get(key) ?? orUndefined(() => localStorage.getItem(key)) ?? undefined;

/** The value parsed as JSON; undefined if it is missing or not JSON. */
export const readJson = key => orUndefined(() => JSON.parse(read(key)));

export function write(key, text) {
	inMemory.set(key, text);
	orUndefined(() => {
		localStorage.setItem(key, text);
		inMemory.delete(key);
	});
}

export function remove(key) {
	inMemory.delete(key);
	orUndefined(() => localStorage.removeItem(key));
}

/** All keys with this prefix. */
export const keys = prefix =>
	[...inMemory.keys(), ...(orUndefined(() => Object.keys(localStorage)) ?? [])].filter(key => key.startsWith(prefix));

function orUndefined(access) {
	try {
		return access();
	} catch {
		return undefined;
	}
}
