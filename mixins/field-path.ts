// The names of fields in field errors. Clients choose some of these names: long names are cut, and an empty one is written as `""`.

/** The most field errors of one answer. */
export const MAX_FIELD_ERRORS = 10;
const MAX_NAME = 64;
/** As deep as JSON from clients may nest; records of topics may nest deeper. */
const MAX_NAMES = 32;

function shown(name: string): string {
	if (name === "") return '""';
	return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME).toWellFormed()}…`;
}

/** `["items", 0, "quantity"]` → `items.0.quantity`; names are cut to 64 characters, paths to 32 names. The whole input, `[]`, is the empty text. */
export function joinPath(path: readonly PropertyKey[]): string {
	const names = path.slice(0, MAX_NAMES).map(name => shown(String(name)));
	return (path.length > MAX_NAMES ? [...names, "…"] : names).join(".");
}
