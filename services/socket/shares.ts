// What all sockets of one address share, and all of one account: how many there may be, and how much they may send together.
import { type TokenBucket, tokenBucket } from "../../mixins/limits/token-bucket.ts";

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

interface Holding {
	sockets: number;
	bucket: TokenBucket;
}

const nowMs = () => performance.now();

class HeldShare implements Share {
	readonly #holding: Holding;

	constructor(holding: Holding) {
		this.#holding = holding;
		holding.sockets++;
	}

	left() {
		return this.#holding.bucket.left(nowMs());
	}

	take() {
		return this.#holding.bucket.take(nowMs());
	}

	leave() {
		this.#holding.sockets--;
	}
}

/** For each key so many sockets, and so many frames a second of all of them (five times as many at once); 0: no limit. */
export function shares(maxSockets: number, framesPerSecond: number): Shares {
	const held = new Map<string, Holding>();

	return {
		enter(key) {
			const one = held.get(key) ?? { sockets: 0, bucket: tokenBucket(framesPerSecond, nowMs()) };
			if (maxSockets > 0 && one.sockets >= maxSockets) return undefined;
			held.set(key, one);
			return new HeldShare(one);
		},

		sweep() {
			for (const [key, { sockets, bucket }] of held) if (sockets === 0 && bucket.isFull(nowMs())) held.delete(key);
		}
	};
}
