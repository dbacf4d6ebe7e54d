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
	/** How many there are; Infinity where there is no limit. */
	left(nowMs: number): number;
	/** Whether it is as full as it gets: then it need not be remembered. */
	isFull(nowMs: number): boolean;
}

const BURST = 5;

/** So many a second, five times as many at once. */
export const rateOf = (perSecond: number): Rate => ({ perSecond, burst: perSecond * BURST });

/** A class: there may be one for each of very many sockets. */
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

/** One for all: it remembers nothing. */
const unlimited: TokenBucket = {
	take: () => true,
	waitMs: () => 0,
	left: () => Number.POSITIVE_INFINITY,
	isFull: () => true
};

/** So many a second, five times as many at once unless it is said; 0: no limit. */
export const tokenBucket = (perSecond: number, nowMs: number, burst = perSecond * BURST): TokenBucket =>
	perSecond === 0 ? unlimited : new Bucket(perSecond, nowMs, burst);
