// Runs many seeds of each world.
import type { Job } from "./worker.ts";
import { runAll } from "./workers.ts";

/** Seeds per process: few enough for all processes to end at about the same time. */
const SEEDS_PER_JOB = 250;
/** A history on a real Postgres takes longer: such a world runs one of this many seeds. */
const SEED_DIVISORS: Record<string, number> = { orders: 10, seats: 10 };

/** Runs `seeds` seeds of each world and prints the command that replays a failure. Resolves to whether all succeeded. */
export async function scan(names: string[], seeds: number): Promise<boolean> {
	const startedAtMs = performance.now();
	const jobs: Job[] = names.flatMap(world => {
		const wanted = Math.ceil(seeds / (SEED_DIVISORS[world] ?? 1));
		return Array.from({ length: Math.ceil(wanted / SEEDS_PER_JOB) }, (_, n) => ({
			world,
			first: 1 + n * SEEDS_PER_JOB,
			seeds: Math.min(SEEDS_PER_JOB, wanted - n * SEEDS_PER_JOB)
		}));
	});
	const sums = new Map(names.map(world => [world, { runs: 0, steps: 0 }]));
	let isGood = true;
	await runAll(jobs, ({ world }, { runs, steps, failed }) => {
		const sum = sums.get(world)!;
		sum.runs += runs;
		sum.steps += steps;
		if (!failed) return;
		isGood = false;
		console.log(`node test/simulation/main.ts --world ${world} --seed ${failed.seed}\n${failed.reason}`);
	});
	for (const [world, { runs, steps }] of sums) console.log(`${world.padEnd(12)} ${runs} seeds, ${steps} steps`);
	console.log(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
	return isGood;
}
