// The same draws for the same seed, so that what failed can be done again.

export interface Draw {
	/** A whole number, both ends included. */
	between(least: number, most: number): number;
	/** The same, but mostly near the least. */
	mostlyNear(least: number, most: number): number;
	of<T>(some: readonly T[]): T;
	shuffled<T>(some: readonly T[]): T[];
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough to choose by. */
export function drawBy(seed: number): Draw {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const within = (part: number, least: number, most: number) => least + Math.floor(part * (most - least + 1));
	const draw: Draw = {
		between: (least, most) => within(next(), least, most),
		mostlyNear: (least, most) => within(next() ** 3, least, most),
		of: some => some[draw.between(0, some.length - 1)]!,
		shuffled(some) {
			const left = [...some];
			return some.map(() => left.splice(draw.between(0, left.length - 1), 1)[0]!);
		}
	};
	return draw;
}
