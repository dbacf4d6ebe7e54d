// The quotas of one address and of one account: how many sockets it may have, and how many frames they may send together.
import { type TokenBucket, tokenBucket } from "../../../mixins/limits/token-bucket.ts";
import { FrameBudget } from "./frame-budget.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

export interface Quota {
	/** How many frames of its sockets are handled in one turn of the event loop, and are in flight. */
	readonly budget: FrameBudget;
	/** The bytes that wait for its sockets' slow readers. */
	readonly waiting: WaitingBytes;
	/** How many frames its sockets may send now. */
	left(): number;
	/** Takes this number of frames; false: its sockets send too many. */
	take(frames: number): boolean;
	/** One socket fewer. */
	release(): void;
}

export interface Quotas {
	/** One socket more; undefined if the key has as many as it may. */
	acquire(key: string): Quota | undefined;
	/** Removes keys without sockets whose buckets are full again: a new socket does not reset the limit of a flood. */
	sweep(): void;
}

const nowMs = () => performance.now();

/** One for all sockets of a key. */
class KeyQuota implements Quota {
	readonly #bucket: TokenBucket;
	readonly budget = new FrameBudget();
	readonly waiting = new WaitingBytes();
	sockets = 0;

	constructor(framesPerSecond: number) {
		this.#bucket = tokenBucket(framesPerSecond, nowMs());
	}

	left() {
		return this.#bucket.left(nowMs());
	}

	take(frames: number) {
		return this.#bucket.take(nowMs(), frames);
	}

	release() {
		this.sockets--;
	}

	/** It has no sockets, and its bucket is full. */
	isIdle() {
		return this.sockets === 0 && this.#bucket.isFull(nowMs());
	}
}

/** Each key may have `maxSockets`, and these together `framesPerSecond`, with bursts of five times that; 0: no limit. */
export function quotas(maxSockets: number, framesPerSecond: number): Quotas {
	const byKey = new Map<string, KeyQuota>();

	return {
		acquire(key) {
			const quota = byKey.get(key) ?? new KeyQuota(framesPerSecond);
			if (maxSockets > 0 && quota.sockets >= maxSockets) return undefined;
			byKey.set(key, quota);
			quota.sockets++;
			return quota;
		},

		sweep() {
			for (const [key, quota] of byKey) if (quota.isIdle()) byKey.delete(key);
		}
	};
}
