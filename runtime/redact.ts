/**
 * Removes secrets from log output: tokens, passwords and e-mail addresses, anywhere in a line.
 *
 *     redact("cannot reach postgres://shop:hunter2@db/shop")              // cannot reach postgres://[secret]@db/shop
 *     withoutSecrets({ user: "ann", login: { password: "hunter2" } })      // { user: 'ann', login: { password: '[secret]' } }
 *
 * A secret without a recognisable form (`hunter2 is wrong`) is not found: do not log input.
 */
import { inspect } from "node:util";

const SECRET = "[secret]";

/** Fields whose value is always redacted: `password`, `passwordHash`, `refreshToken`, `set-cookie`, `jwtSecret` … */
const SECRET_FIELD = /password|secret|token$|authorization|cookie/i;

/** Whether the value of a field of this name is a secret. */
export const isSecretField = (name: string) => SECRET_FIELD.test(name);

/** A line without any of these needs no redaction: most lines cost one search. */
const MARK = /eyJ|bearer |@|password|secret|token/i;

/** Patterns of secrets, and their replacements. Each pattern backtracks a bounded distance, so that the time is linear in the length of a line. */
const PATTERNS: [RegExp, string][] = [
	// A JWT: its first part is a JSON object, in base64url (RFC 7519).
	[/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)*/g, SECRET],
	// RFC 6750.
	[/\b(bearer +)[\w.~+/-]+=*/gi, `$1${SECRET}`],
	// user:password@ of a URL (RFC 3986, 3.2.1); also with an unencoded @ in the password.
	[/(?<=:\/\/)[^\s/?#'"]+@/g, `${SECRET}@`],
	// A field of JSON inside a text, also when that text is itself quoted JSON.
	[/("(?:\w{0,32}password|refreshToken|token|\w{0,32}secret)\\?"\s*:\s*\\?")(?:[^"\\]|\\.)*/gi, `$1${SECRET}`],
	[
		/[^\s@()<>[\]{},;:"'`=/\\]{1,64}@[^\s@()<>[\]{},;:"'`=/\\]{1,253}\.[^\s@()<>[\]{},;:"'`=/\\.\d][^\s@()<>[\]{},;:"'`=/\\.]{1,62}/g,
		"[e-mail]"
	]
];

/** The text with everything that looks like a secret replaced. */
export function redact(text: string): string {
	if (!MARK.test(text)) return text;
	return PATTERNS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}

/** The number of levels that `inspect` prints. */
const LEVELS = 3;
/** `inspect` prints these fields of errors although they are not enumerable. */
const OF_ERRORS = ["cause", "errors"];

/** Returns a copy with the secret fields replaced, `levels` deep, or the value itself if it has none. */
export function withoutSecrets(value: unknown, levels = LEVELS): unknown {
	if (typeof value !== "object" || value === null || levels === 0 || ArrayBuffer.isView(value)) return value;
	// A value with its own inspect function is redacted as text, after printing.
	if (inspect.custom in value) return value;
	const changes: [string, unknown][] = [];
	for (const key of value instanceof Error ? [...Object.keys(value), ...OF_ERRORS] : Object.keys(value)) {
		// Getters are not called: inspect does not call them either.
		const own = Object.getOwnPropertyDescriptor(value, key)?.value;
		if (own === undefined || own === null) continue;
		const redacted = SECRET_FIELD.test(key) && !Array.isArray(value) ? SECRET : withoutSecrets(own, levels - 1);
		if (redacted !== own) changes.push([key, redacted]);
	}
	if (changes.length === 0) return value;
	const copy = Array.isArray(value)
		? [...value]
		: Object.create(Object.getPrototypeOf(value), Object.getOwnPropertyDescriptors(value));
	// V8 may compute `stack` lazily from the original error only.
	if (value instanceof Error) Object.defineProperty(copy, "stack", { value: value.stack, enumerable: false });
	for (const [key, redacted] of changes) {
		const { enumerable } = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
		Object.defineProperty(copy, key, { value: redacted, enumerable });
	}
	return copy;
}
