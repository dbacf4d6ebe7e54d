/**
 * How often something may be done, by whatever key: an address, an account, an e-mail address somebody tries to sign in with.
 *
 *     const limits = memoryLimits();                          // this process alone; all processes together: redisLimits(redis)
 *
 *     const waitMs = await limits.take(`login:${address}`, { perSecond: 0.1, burst: 5 });
 *     if (waitMs !== undefined) throw tooMany("Too many attempts", waitMs);
 *
 * Keys that have been quiet are forgotten: nothing needs to be cleaned up.
 */
import { type Rate, type TokenBucket, tokenBucket } from "./token-bucket.ts";

export type { Rate } from "./token-bucket.ts";
export { rateOf } from "./token-bucket.ts";

export interface Limits {
	/**
	 * Takes so many tokens (by default one) from the key's bucket and resolves with undefined; or takes none, and resolves with the ms until there
	 * would be enough (Infinity for more than the burst). Never rejects. One key has one rate.
	 */
	take(key: string, rate: Rate, tokens?: number): Promise<number | undefined>;
}

const SWEEP_EVERY_MS = 10_000;
/** Past so many the oldest is forgotten: a limit that a hundred thousand addresses can outrun does less harm than memory that they can fill. */
const MAX_KEYS = 100_000;

/** Limits of this process alone. `now`: in ms, from whenever. */
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
