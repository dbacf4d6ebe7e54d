// GET routes with an `etag` in their contract: the response depends on the params alone, and may be large. Concurrent requests with equal params share one
// call, and responses with the same tag share one text: to serialise a map of 20,000 seats takes as long as a hundred small requests.
import type { ActionContract } from "../../contract/action.ts";
import { deadlineIn } from "../../mixins/deadline.ts";
import { rateOf } from "../../mixins/limits/limits.ts";
import { microBatch } from "../../mixins/micro-batch.ts";

const MAX_WAITING = 20_000;
const TIMEOUT_MS = 5_000;
/** Of the texts that are kept. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Of the texts whose size is remembered. */
const MAX_SIZES = 10_000;
/** To serialise this much, or to send this much of a text that is kept, takes at most as long as a small request. */
const BYTES_PER_REQUEST = { serialised: 16 * 1024, kept: 64 * 1024 };

export interface SharedResponse {
	/** In its quotes. */
	tag: string;
	/**
	 * Serialises the result, unless the last response with these params had the same tag. First `pay` gets how many requests the text counts as in addition to
	 * its own request, by the size of the last one for these params; if none is known, it gets that afterwards. Together they are at most a full burst, or
	 * no client could get it. Rejects as `pay` does.
	 */
	text(pay: (requests: number) => Promise<void>): Promise<Buffer>;
}

/** Keeps the texts that were used last, within `maxBytes` together, and the sizes of `maxSizes` texts. */
export function keptTexts(maxBytes = MAX_BYTES, maxSizes = MAX_SIZES) {
	const texts = new Map<string, { tag: string; text: Buffer }>();
	/** In bytes, by key: also of the texts that are not kept. */
	const sizes = new Map<string, number>();
	let bytes = 0;
	const drop = (key: string) => {
		const kept = texts.get(key);
		if (kept) bytes -= key.length + kept.text.length;
		texts.delete(key);
	};
	const setSize = (key: string, size: number) => {
		sizes.delete(key);
		sizes.set(key, size);
		for (const oldest of sizes.keys()) {
			if (sizes.size <= maxSizes) break;
			sizes.delete(oldest);
		}
	};
	/** How many requests the text of this key and tag costs, by the size of the key's last text; undefined if that is not known. */
	const costOf = (key: string, tag: string): number | undefined => {
		const size = sizes.get(key);
		if (size === undefined) return undefined;
		return Math.ceil(size / BYTES_PER_REQUEST[texts.get(key)?.tag === tag ? "kept" : "serialised"]);
	};
	/** The text of this key and tag; it is made if it is not kept. */
	const textOf = (key: string, tag: string, make: () => string): Buffer => {
		const kept = texts.get(key);
		const text = kept?.tag === tag ? kept.text : Buffer.from(make());
		setSize(key, text.length);
		// A key that is set again becomes the newest.
		drop(key);
		texts.set(key, { tag, text });
		bytes += key.length + text.length;
		for (const oldest of texts.keys()) {
			if (bytes <= maxBytes) break;
			drop(oldest);
		}
		return text;
	};
	return { costOf, textOf };
}

/**
 * Returns the function that answers for an action and its params: `call` calls the action. A shared call starts after all of its requests have arrived,
 * so that no response is older than from a call of its own. Rejects as the call does, and with 503 `UNAVAILABLE` if there is no answer within 5 s.
 */
export function etagGet({ maxRequestsPerSecond }: { maxRequestsPerSecond: number }) {
	const { burst } = rateOf(maxRequestsPerSecond);
	const { costOf, textOf } = keptTexts();
	type Ask = (call: () => Promise<unknown>) => Promise<SharedResponse>;
	/** By action and params, while there are requests. */
	const open = new Map<string, { ask: Ask; requests: number }>();

	const asker = (key: string, name: string, { etag }: ActionContract): Ask =>
		microBatch<() => Promise<unknown>, SharedResponse>(
			async calls => {
				const result = await calls[0]!();
				const tag = `"${etag!(result)}"`;
				let text: Buffer | undefined;
				const response: SharedResponse = {
					tag,
					async text(pay) {
						const payFor = (requests: number) => pay(Math.min(requests, burst) - 1);
						const expected = costOf(key, tag);
						if (expected !== undefined) await payFor(expected);
						text ??= textOf(key, tag, () => JSON.stringify(result));
						if (expected === undefined) await payFor(Math.ceil(text.length / BYTES_PER_REQUEST.serialised));
						return text;
					}
				};
				return calls.map(() => response);
			},
			{ maxItems: MAX_WAITING, maxWaiting: MAX_WAITING, name }
		);

	return async (
		name: string,
		contract: ActionContract,
		params: object,
		call: () => Promise<unknown>
	): Promise<SharedResponse> => {
		const key = JSON.stringify([name, params]);
		const shared = open.get(key) ?? { ask: asker(key, name, contract), requests: 0 };
		open.set(key, shared);
		shared.requests++;
		try {
			return await deadlineIn(TIMEOUT_MS).bound(shared.ask(call), name);
		} finally {
			if (--shared.requests === 0) open.delete(key);
		}
	};
}
