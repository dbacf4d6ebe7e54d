// What all sockets of one address share, and all of one account: how many there may be, and how much they may send together.
import { type TokenBucket, tokenBucket } from "../../../mixins/limits/token-bucket.ts";

export interface Share {
	/** How many frames its sockets may send now. */
	left(): number;
	/** Takes one frame; false: its sockets send too many. */
	take(): boolean;
	/** One socket fewer. */
	leave(): void;
}

export interface Shares {
	/** One socket more; undefined if the key has its fill. */
	enter(key: string): Share | undefined;
	/** Forgets keys that have no sockets and owe nothing: a flood is not forgiven for coming again on a new socket. */
	sweep(): void;
}

const nowMs = () => performance.now();

/** One for all sockets of a key. */
class Holding implements Share {
	readonly #bucket: TokenBucket;
	sockets = 0;

	constructor(framesPerSecond: number) {
		this.#bucket = tokenBucket(framesPerSecond, nowMs());
	}

	left() {
		return this.#bucket.left(nowMs());
	}

	take() {
		return this.#bucket.take(nowMs());
	}

	leave() {
		this.sockets--;
	}

	/** Without sockets, and owing nothing. */
	isIdle() {
		return this.sockets === 0 && this.#bucket.isFull(nowMs());
	}
}

/** For each key so many sockets, and so many frames a second of all of them (five times as many at once); 0: no limit. */
export function shares(maxSockets: number, framesPerSecond: number): Shares {
	const held = new Map<string, Holding>();

	return {
		enter(key) {
			const one = held.get(key) ?? new Holding(framesPerSecond);
			if (maxSockets > 0 && one.sockets >= maxSockets) return undefined;
			held.set(key, one);
			one.sockets++;
			return one;
		},

		sweep() {
			for (const [key, one] of held) if (one.isIdle()) held.delete(key);
		}
	};
}
