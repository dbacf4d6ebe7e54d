const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OBJECT, OBJECT_END, ARRAY, ARRAY_END] = [0x7b, 0x7d, 0x5b, 0x5d];

/** The deepest nesting that is accepted in JSON from outside. */
export const MAX_JSON_DEPTH = 32;

/**
 * Whether a JSON text nests deeper than `maxDepth`. Checked before parsing: code that walks the parsed value does so recursively, and 64 KiB can
 * hold 32,000 levels. The result for invalid JSON is undefined. UTF-8 bytes may be decoded as Latin-1: only ASCII characters matter.
 */
export function isDeeperThan(text: string, maxDepth = MAX_JSON_DEPTH): boolean {
	let depth = 0;
	let isInText = false;
	for (let i = 0; i < text.length; i++) {
		const char = text.charCodeAt(i);
		if (isInText) {
			if (char === BACKSLASH) i++;
			else if (char === QUOTE) isInText = false;
		} else if (char === QUOTE) isInText = true;
		else if (char === OBJECT || char === ARRAY) {
			if (++depth > maxDepth) return true;
		} else if (char === OBJECT_END || char === ARRAY_END) depth--;
	}
	return false;
}
