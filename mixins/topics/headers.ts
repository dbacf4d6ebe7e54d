// The headers that this package puts on records, and how it reads them. Others write to the topics too: a header may hold anything.
import type { Headers } from "./topic-log.ts";

export const REQUEST_ID = "request-id";

/** A header that holds a whole number, without a sign or leading zeros; undefined for anything else, below `least`, and above 2^53 - 1. */
export function wholeNumberIn(header: string | undefined, least = 0): number | undefined {
	if (header === undefined || !/^(0|[1-9]\d{0,15})$/.test(header)) return undefined;
	const number = Number(header);
	return number < least || !Number.isSafeInteger(number) ? undefined : number;
}

/** W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = "traceparent";
const TRACEPARENT_FORMAT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|(?<!^00.*)-)/;
const META_PREFIX = "meta-";

export type Meta = Record<string, unknown>;

/** The headers that carry a request's `meta`: its `traceparent` if it is valid, and those of `keys` that it has, as JSON. */
export function metaHeaders(meta: object | undefined, keys: readonly string[]): Headers {
	const headers: Headers = {};
	if (!meta) return headers;
	const values = meta as Meta;
	const traceparent = values[TRACEPARENT];
	if (typeof traceparent === "string" && TRACEPARENT_FORMAT.test(traceparent)) headers[TRACEPARENT] = traceparent;
	for (const key of keys) {
		const text = Object.hasOwn(values, key) ? JSON.stringify(values[key]) : undefined;
		if (text !== undefined) headers[`${META_PREFIX}${key}`] = text;
	}
	return headers;
}

/** What `metaHeaders` wrote; undefined if nothing. Only `keys` are read, and what is not JSON is ignored. */
export function metaIn(headers: Headers, keys: readonly string[]): Meta | undefined {
	const meta: Meta = {};
	const traceparent = headers[TRACEPARENT];
	if (traceparent !== undefined && TRACEPARENT_FORMAT.test(traceparent)) meta[TRACEPARENT] = traceparent;
	for (const key of keys) {
		const text = headers[`${META_PREFIX}${key}`];
		if (text === undefined) continue;
		try {
			meta[key] = JSON.parse(text);
		} catch {
			// Not ours.
		}
	}
	return Object.keys(meta).length > 0 ? meta : undefined;
}
