/**
 * Rate limits by a key: an address, an account, an e-mail address used to sign in.
 *
 *     const limits = memoryLimits();                          // of this process; shared by all processes: redisLimits(redis)
 *
 *     const waitMs = await limits.take(`login:${address}`, { perSecond: 0.1, burst: 5 });
 *     if (waitMs !== undefined) throw tooMany("Too many attempts", waitMs);
 *
 * Unused keys are removed automatically.
 */
import { type Rate, type TokenBucket, tokenBucket } from "./token-bucket.ts";

export type { Rate } from "./token-bucket.ts";
export { rateOf, startedKiB } from "./token-bucket.ts";

export interface Limits {
	/**
	 * Takes this number of tokens (default 1) from the key's bucket and resolves with undefined; or takes none, and resolves with the ms until
	 * there are enough (Infinity for more than the burst). Never rejects. Use one rate per key.
	 */
	take(key: string, rate: Rate, tokens?: number): Promise<number | undefined>;
}

const SWEEP_EVERY_MS = 10_000;
/** Beyond it the oldest key is removed: memory that clients can fill is worse than a limit that a hundred thousand addresses can evade. */
const MAX_KEYS = 100_000;

/** Limits of this process. `now`: a monotonic clock in ms. */
export function memoryLimits({ now = () => performance.now(), maxKeys = MAX_KEYS } = {}): Limits {
	const buckets = new Map<string, TokenBucket>();
	let sweptAtMs = now();
	const sweep = (nowMs: number) => {
		sweptAtMs = nowMs;
		for (const [key, bucket] of buckets) if (bucket.isFull(nowMs)) buckets.delete(key);
	};
	const bucketOf = (key: string, { perSecond, burst }: Rate, nowMs: number) => {
		const known = buckets.get(key);
		if (known) return known;
		if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value as string);
		const bucket = tokenBucket(perSecond, nowMs, burst);
		buckets.set(key, bucket);
		return bucket;
	};
	return {
		async take(key, rate, tokens = 1) {
			if (rate.perSecond === 0) return undefined;
			const nowMs = now();
			if (nowMs - sweptAtMs > SWEEP_EVERY_MS) sweep(nowMs);
			const bucket = bucketOf(key, rate, nowMs);
			return bucket.take(nowMs, tokens) ? undefined : bucket.waitMs(nowMs, tokens);
		}
	};
}
