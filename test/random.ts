// A seeded random source: the same seed gives the same sequence.

export interface Random {
	/** At least 0, less than 1. */
	next(): number;
	/** A whole number from `min` to `max`, both included. */
	between(min: number, max: number): number;
	chance(probability: number): boolean;
	pick<T>(from: readonly T[]): T;
	uuid(): string;
}

/** mulberry32, by Tommy Ettinger: 32 bits of state are enough for a history of some thousand steps. */
export function randomFrom(seed: number): Random {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const hex = (digits: number) =>
		Math.floor(next() * 16 ** digits)
			.toString(16)
			.padStart(digits, "0");
	return {
		next,
		between: (min, max) => min + Math.floor(next() * (max - min + 1)),
		chance: probability => next() < probability,
		pick: from => from[Math.floor(next() * from.length)]!,
		uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`
	};
}
