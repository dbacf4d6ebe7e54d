// The fault schedule: which fault each round injects, derived from a seed. The list of faults is shuffled; each round takes the next one.
import { type Draw, drawBy } from "./draw.ts";
import type { Fault } from "./fault.ts";
import { poison } from "./poison.ts";
import { allKilled, cut, frozen, killed, killedAtCrashPoint, replayed } from "./process-faults.ts";
import { cutByServers, emptied, pair, rolledBack, SERVERS, server } from "./server-faults.ts";

const poisoned = (draw: Draw): Fault => {
	const [ofEach, seed] = [draw.between(8, 20), draw.between(0, 1_000_000)];
	return {
		description: `${ofEach} poison records of each kind, seed ${seed}`,
		inject: ({ ledger }) => poison(drawBy(seed), ledger, ofEach)
	};
};

const faultKinds: readonly ((draw: Draw) => Fault)[] = [
	...[killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint, killedAtCrashPoint],
	...[(draw: Draw) => killed(draw, 1), (draw: Draw) => killed(draw, 3), allKilled],
	...[frozen, frozen, pair],
	...SERVERS.map(name => (draw: Draw) => server(draw, name)),
	...[cut, cutByServers, emptied, rolledBack, replayed, poisoned]
];

/** The fault of a round, determined by seed and round. Every pass through the list contains each of its faults once. */
export function faultOf(seed: number, round: number): Fault {
	const n = round - 1;
	const shuffled = drawBy(seed * 1_000 + Math.floor(n / faultKinds.length)).shuffled(faultKinds);
	return shuffled[n % faultKinds.length]!(drawBy(seed * 1_000_003 + round));
}
