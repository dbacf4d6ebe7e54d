// The same draws for the same seed, so that what failed can be done again.
import { randomFrom } from "../random.ts";

export interface Draw {
	/** A whole number, both ends included. */
	between(least: number, most: number): number;
	/** The same, but mostly near the least. */
	mostlyNear(least: number, most: number): number;
	of<T>(some: readonly T[]): T;
	shuffled<T>(some: readonly T[]): T[];
}

/** The more a part is raised, the nearer to the least it mostly is. */
const NEAR = 3;

export function drawBy(seed: number): Draw {
	const { next, between, pick } = randomFrom(seed);
	return {
		between,
		mostlyNear: (least, most) => least + Math.floor(next() ** NEAR * (most - least + 1)),
		of: pick,
		shuffled(some) {
			const left = [...some];
			return some.map(() => left.splice(between(0, left.length - 1), 1)[0]!);
		}
	};
}
