// Rates with bursts: https://en.wikipedia.org/wiki/Token_bucket

export interface Rate {
	/** 0: no limit. */
	perSecond: number;
	/** So many at once, if there were none before. */
	burst: number;
}

export interface TokenBucket {
	/** Takes so many tokens, by default one; false, and none are taken, when there are fewer. */
	take(nowMs: number, tokens?: number): boolean;
	/** How long until there are so many, if nobody else takes any; Infinity for more than it ever holds. */
	waitMs(nowMs: number, tokens?: number): number;
	/** Whether it is as full as it gets: then it need not be remembered. */
	isFull(nowMs: number): boolean;
}

const BURST = 5;

/** So many a second, five times as many at once. */
export const rateOf = (perSecond: number): Rate => ({ perSecond, burst: perSecond * BURST });

/** So many a second, five times as many at once unless it is said; 0: no limit. */
export function tokenBucket(perSecond: number, nowMs: number, burst = perSecond * BURST): TokenBucket {
	let level = burst;
	let filledAtMs = nowMs;
	const fill = (toMs: number) => {
		level = Math.min(burst, level + ((toMs - filledAtMs) / 1000) * perSecond);
		filledAtMs = toMs;
	};
	return {
		take(atMs, tokens = 1) {
			if (perSecond === 0) return true;
			fill(atMs);
			if (level < tokens) return false;
			level -= tokens;
			return true;
		},
		waitMs(atMs, tokens = 1) {
			if (perSecond === 0) return 0;
			fill(atMs);
			if (tokens > burst) return Number.POSITIVE_INFINITY;
			return Math.ceil(Math.max(0, ((tokens - level) / perSecond) * 1000));
		},
		isFull(atMs) {
			fill(atMs);
			return level === burst;
		}
	};
}
