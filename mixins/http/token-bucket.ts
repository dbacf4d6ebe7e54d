// Rates with bursts: https://en.wikipedia.org/wiki/Token_bucket

export interface TokenBucket {
	/** Takes one token; false when there is none. */
	take(nowMs: number): boolean;
	/** Whether it is as full as it gets: then it need not be remembered. */
	isFull(nowMs: number): boolean;
}

const BURST = 5;

/** So many a second, five times as many at once; 0: no limit. */
export function tokenBucket(perSecond: number, nowMs: number): TokenBucket {
	const capacity = perSecond * BURST;
	let tokens = capacity;
	let filledAtMs = nowMs;
	const fill = (toMs: number) => {
		tokens = Math.min(capacity, tokens + ((toMs - filledAtMs) / 1000) * perSecond);
		filledAtMs = toMs;
	};
	return {
		take(atMs) {
			if (perSecond === 0) return true;
			fill(atMs);
			if (tokens < 1) return false;
			tokens--;
			return true;
		},
		isFull(atMs) {
			fill(atMs);
			return tokens === capacity;
		}
	};
}

/** A bucket for each key, forgotten once it is full again. */
export function tokenBuckets(perSecond: number) {
	const buckets = new Map<string, TokenBucket>();
	let sweptAtMs = 0;
	const sweep = (nowMs: number) => {
		sweptAtMs = nowMs;
		for (const [key, bucket] of buckets) if (bucket.isFull(nowMs)) buckets.delete(key);
	};
	return {
		take(key: string, nowMs: number): boolean {
			if (perSecond === 0) return true;
			if (nowMs - sweptAtMs > 10_000) sweep(nowMs);
			let bucket = buckets.get(key);
			if (!bucket) {
				bucket = tokenBucket(perSecond, nowMs);
				buckets.set(key, bucket);
			}
			return bucket.take(nowMs);
		}
	};
}
