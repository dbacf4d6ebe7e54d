// Rates with bursts: https://en.wikipedia.org/wiki/Token_bucket

export interface Rate {
	/** 0: no limit. */
	perSecond: number;
	/** The most at once, after a pause. */
	burst: number;
}

export interface TokenBucket {
	/** Takes this number of tokens (default 1) and returns true; or takes none and returns false when there are fewer. */
	take(nowMs: number, tokens?: number): boolean;
	/** The time until there are this many tokens, if none are taken meanwhile; Infinity for more than the burst. */
	waitMs(nowMs: number, tokens?: number): number;
	/** The number of tokens now; Infinity without a limit. */
	left(nowMs: number): number;
	/** Whether it holds the whole burst: then it can be removed. */
	isFull(nowMs: number): boolean;
}

const BURST = 5;

/** The tokens that a message of this size takes: one for each started KiB, and at least one. */
export const startedKiB = (bytes: number) => Math.max(1, Math.ceil(bytes / 1024));

/** A rate whose burst is five times what it allows per second. */
export const rateOf = (perSecond: number): Rate => ({ perSecond, burst: perSecond * BURST });

/** A class, because there may be one for each of very many sockets. */
class Bucket implements TokenBucket {
	readonly #perSecond: number;
	readonly #burst: number;
	#level: number;
	#filledAtMs: number;

	constructor(perSecond: number, nowMs: number, burst: number) {
		this.#perSecond = perSecond;
		this.#burst = burst;
		this.#level = burst;
		this.#filledAtMs = nowMs;
	}

	take(atMs: number, tokens = 1) {
		this.#fill(atMs);
		if (this.#level < tokens) return false;
		this.#level -= tokens;
		return true;
	}

	waitMs(atMs: number, tokens = 1) {
		this.#fill(atMs);
		if (tokens > this.#burst) return Number.POSITIVE_INFINITY;
		return Math.ceil(Math.max(0, ((tokens - this.#level) / this.#perSecond) * 1000));
	}

	left(atMs: number) {
		this.#fill(atMs);
		return this.#level;
	}

	isFull(atMs: number) {
		this.#fill(atMs);
		return this.#level === this.#burst;
	}

	#fill(toMs: number) {
		this.#level = Math.min(this.#burst, this.#level + ((toMs - this.#filledAtMs) / 1000) * this.#perSecond);
		this.#filledAtMs = toMs;
	}
}

/** Shared: it has no state. */
const unlimited: TokenBucket = {
	take: () => true,
	waitMs: () => 0,
	left: () => Number.POSITIVE_INFINITY,
	isFull: () => true
};

/** `perSecond` 0: no limit. Default burst: five times `perSecond`. */
export const tokenBucket = (perSecond: number, nowMs: number, burst = perSecond * BURST): TokenBucket =>
	perSecond === 0 ? unlimited : new Bucket(perSecond, nowMs, burst);
