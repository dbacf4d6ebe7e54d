// Seeded random draws for the fault schedule: the same seed gives the same faults, so that a failed round can be repeated.
import { randomFrom } from "../random.ts";

export interface Draw {
	/** A whole number, both ends included. */
	between(least: number, most: number): number;
	/** The same, but mostly near `least`. */
	mostlyNear(least: number, most: number): number;
	of<T>(some: readonly T[]): T;
	shuffled<T>(some: readonly T[]): T[];
}

/** The exponent that moves the distribution towards `least`. */
const SKEW = 3;

export function drawBy(seed: number): Draw {
	const { next, between, pick } = randomFrom(seed);
	return {
		between,
		mostlyNear: (least, most) => least + Math.floor(next() ** SKEW * (most - least + 1)),
		of: pick,
		shuffled(some) {
			const left = [...some];
			return some.map(() => left.splice(between(0, left.length - 1), 1)[0]!);
		}
	};
}
