/**
 * Keeps secrets out of what is printed: tokens, passwords and e-mail addresses, wherever in a line they stand.
 *
 *     redact("cannot reach postgres://shop:hunter2@db/shop")              // cannot reach postgres://[secret]@db/shop
 *     withoutSecrets({ user: "ann", login: { password: "hunter2" } })      // { user: 'ann', login: { password: '[secret]' } }
 *
 * A secret in a text without any mark of one (`hunter2 is wrong`) is not found: do not log what was sent.
 */
import { inspect } from "node:util";

const SECRET = "[secret]";

/** Fields whose value is nobody's business, whatever it is: `password`, `passwordHash`, `refreshToken`, `set-cookie`, `jwtSecret` … */
const SECRET_FIELD = /password|secret|token$|authorization|cookie/i;

/** Where none of these is, nothing is to be redacted: most lines cost one search. */
const MARK = /eyJ|bearer |@|password|secret|token/i;

/** What a secret looks like in a text, and what stands there instead. Each looks no further than a bounded way back: a long line costs its length. */
const PATTERNS: [RegExp, string][] = [
	// A JWT: its first part is a JSON object, in base64url (RFC 7519).
	[/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)*/g, SECRET],
	// RFC 6750.
	[/\b(bearer +)[\w.~+/-]+=*/gi, `$1${SECRET}`],
	// user:password@ of a URL (RFC 3986, 3.2.1); a password may have an @ that somebody forgot to encode.
	[/(?<=:\/\/)[^\s/?#'"]+@/g, `${SECRET}@`],
	// A field of JSON that is quoted in a text; where that text is quoted again, to its end.
	[/("(?:\w{0,32}password|refreshToken|token|\w{0,32}secret)\\?"\s*:\s*\\?")(?:[^"\\]|\\.)*/gi, `$1${SECRET}`],
	[
		/[^\s@()<>[\]{},;:"'`=/\\]{1,64}@[^\s@()<>[\]{},;:"'`=/\\]{1,253}\.[^\s@()<>[\]{},;:"'`=/\\.\d][^\s@()<>[\]{},;:"'`=/\\.]{1,62}/g,
		"[e-mail]"
	]
];

/** The text without what looks like a secret. */
export function redact(text: string): string {
	if (!MARK.test(text)) return text;
	return PATTERNS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}

/** `inspect` shows so many levels. */
const LEVELS = 3;
/** Not enumerable, and shown all the same. */
const OF_ERRORS = ["cause", "errors"];

/** The value itself if no field of it is secret, or a copy in which those fields are hidden: as deep as it will be shown. */
export function withoutSecrets(value: unknown, levels = LEVELS): unknown {
	if (typeof value !== "object" || value === null || levels === 0 || ArrayBuffer.isView(value)) return value;
	// What shows itself by its own means is looked at as a text.
	if (inspect.custom in value) return value;
	const changes: [string, unknown][] = [];
	for (const key of value instanceof Error ? [...Object.keys(value), ...OF_ERRORS] : Object.keys(value)) {
		// A getter is not asked: it is not shown either.
		const own = Object.getOwnPropertyDescriptor(value, key)?.value;
		if (own === undefined || own === null) continue;
		const shown = SECRET_FIELD.test(key) && !Array.isArray(value) ? SECRET : withoutSecrets(own, levels - 1);
		if (shown !== own) changes.push([key, shown]);
	}
	if (changes.length === 0) return value;
	const copy = Array.isArray(value)
		? [...value]
		: Object.create(Object.getPrototypeOf(value), Object.getOwnPropertyDescriptors(value));
	// An error's stack may be computed from the error itself, which a copy is not.
	if (value instanceof Error) Object.defineProperty(copy, "stack", { value: value.stack, enumerable: false });
	for (const [key, shown] of changes) {
		const { enumerable } = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
		Object.defineProperty(copy, key, { value: shown, enumerable });
	}
	return copy;
}
