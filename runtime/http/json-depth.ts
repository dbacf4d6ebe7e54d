const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OBJECT, OBJECT_END, ARRAY, ARRAY_END] = [0x7b, 0x7d, 0x5b, 0x5d];

/** As deep as JSON from outside may nest. */
export const MAX_JSON_DEPTH = 32;

/**
 * Whether a JSON text nests deeper than that: looked at before it is parsed, for whatever walks a parsed value walks it by recursion, and a
 * 64 KiB text can be 32,000 levels deep. Of a text that is no JSON the answer is of no use. UTF-8 bytes may as well be read as Latin-1 for it.
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
