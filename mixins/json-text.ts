// JSON from outside: its size is limited before it is parsed, and text in it is accepted exactly as it was sent or refused.
import type { FieldError } from "./errors.ts";
import { joinPath, MAX_FIELD_ERRORS } from "./field-path.ts";

const [QUOTE, BACKSLASH, COMMA, SPACE, BYTE_ORDER_MARK] = [0x22, 0x5c, 0x2c, 0x20, 0xfeff];
const [OBJECT, OBJECT_END, ARRAY, ARRAY_END] = [0x7b, 0x7d, 0x5b, 0x5d];

export interface JsonLimits {
	/** Levels of objects and arrays. */
	maxDepth: number;
	/** Objects, arrays, texts, numbers, booleans and nulls; the names of fields are not counted. */
	maxValues: number;
}

export const JSON_LIMITS: JsonLimits = { maxDepth: 32, maxValues: 2_000 };

/** The index of the quote that ends the string which starts at this index. */
function endOfString(text: string, start: number): number {
	for (let i = start + 1; i < text.length; i++) {
		const char = text.charCodeAt(i);
		if (char === BACKSLASH) i++;
		else if (char === QUOTE) return i;
	}
	return text.length;
}

function isEmptyFrom(text: string, open: number): boolean {
	let next = open + 1;
	while (text.charCodeAt(next) <= SPACE) next++;
	const char = text.charCodeAt(next);
	return char === OBJECT_END || char === ARRAY_END;
}

/**
 * Which limit a JSON text exceeds. Checked in one pass before parsing: code that walks the parsed value takes time for every level and value, and 64 KiB
 * can hold 32,000 of them. The result for invalid JSON is undefined.
 */
export function exceededLimit(text: string, { maxDepth, maxValues } = JSON_LIMITS): keyof JsonLimits | undefined {
	let depth = 0;
	let values = 1;
	for (let i = 0; i < text.length; i++) {
		const char = text.charCodeAt(i);
		if (char === QUOTE) i = endOfString(text, i);
		else if (char === COMMA) values++;
		else if (char === OBJECT || char === ARRAY) {
			if (++depth > maxDepth) return "maxDepth";
			if (!isEmptyFrom(text, i)) values++;
		} else if (char === OBJECT_END || char === ARRAY_END) depth--;
		if (values > maxValues) return "maxValues";
	}
	return undefined;
}

/** Parsed JSON, or why it cannot be read, for a message such as `the body nests too deep`. */
export type ReadJson = { value: unknown; unreadable?: undefined } | { value?: undefined; unreadable: string };

/** Parses JSON text from outside, within these limits. */
export function readJson(text: string, limits = JSON_LIMITS): ReadJson {
	if (text.charCodeAt(0) === BYTE_ORDER_MARK) return { unreadable: "starts with a byte order mark: leave it out" };
	const limit = exceededLimit(text, limits);
	if (limit === "maxDepth") return { unreadable: `nests deeper than ${limits.maxDepth} levels` };
	if (limit === "maxValues") return { unreadable: `has more than ${limits.maxValues} values` };
	try {
		return { value: JSON.parse(text) };
	} catch {
		return { unreadable: "is not JSON" };
	}
}

/** Schemas silently drop a field of this name where a record may have any names. At the top level they report it themselves, with the other errors there. */
const PROTOTYPE = "__proto__";

/** A value and its place. The path is built only for an error: records of topics may nest a hundred thousand levels. */
interface Place {
	value: unknown;
	/** Undefined for the whole input. */
	parent: Place | undefined;
	name: string;
}

function pathOf(place: Place): string[] {
	const path: string[] = [];
	for (let at = place; at.parent; at = at.parent) path.push(at.name);
	return path.reverse();
}

function textError({ value, parent, name }: Place): string | undefined {
	if (name === PROTOTYPE && parent?.parent) return "is not an allowed name";
	if (!name.isWellFormed()) return "must have a name in well-formed Unicode";
	return typeof value === "string" && !value.isWellFormed() ? "must be well-formed Unicode" : undefined;
}

/** JSON can contain lone surrogates only as escapes. */
export const mayHaveTextErrors = (text: string) => text.includes("\\u") || text.includes(PROTOTYPE);

/**
 * The fields of a parsed JSON text whose name or text cannot be stored as it was sent: lone surrogates, which UTF-8 replaces by U+FFFD, and `__proto__`
 * inside other fields. At most `MAX_FIELD_ERRORS` + 1.
 */
export function textErrors(text: string, value: unknown): FieldError[] {
	if (!mayHaveTextErrors(text)) return [];
	const errors: FieldError[] = [];
	const open: Place[] = [{ value, parent: undefined, name: "" }];
	for (let next = open.pop(); next && errors.length <= MAX_FIELD_ERRORS; next = open.pop()) {
		const message = textError(next);
		if (message) errors.push({ field: joinPath(pathOf(next)), message });
		else if (typeof next.value === "object" && next.value !== null)
			for (const [name, part] of Object.entries(next.value).reverse()) open.push({ value: part, parent: next, name });
	}
	return errors;
}
