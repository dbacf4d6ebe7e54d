// Goes through seeds, world by world.
import type { Job } from "./worker.ts";
import { runAll } from "./workers.ts";

/** So many seeds are one process's work: few enough for both to end at about the same time. */
const TOGETHER = 250;
/** On a real Postgres a history takes longer: of so many seeds one is run there. */
const SELDOM: Record<string, number> = { orders: 10 };

/** Runs so many seeds of each world; prints the line that repeats what fails. Answers whether nothing did. */
export async function scan(names: string[], seeds: number): Promise<boolean> {
	const startedAtMs = performance.now();
	const jobs: Job[] = names.flatMap(world => {
		const wanted = Math.ceil(seeds / (SELDOM[world] ?? 1));
		return Array.from({ length: Math.ceil(wanted / TOGETHER) }, (_, n) => ({
			world,
			first: 1 + n * TOGETHER,
			seeds: Math.min(TOGETHER, wanted - n * TOGETHER)
		}));
	});
	const sums = new Map(names.map(world => [world, { runs: 0, turns: 0 }]));
	let isGood = true;
	await runAll(jobs, ({ world }, { runs, turns, failed }) => {
		const sum = sums.get(world)!;
		sum.runs += runs;
		sum.turns += turns;
		if (!failed) return;
		isGood = false;
		console.log(`node test/simulation/main.ts --world ${world} --seed ${failed.seed}\n${failed.reason}`);
	});
	for (const [world, { runs, turns }] of sums) console.log(`${world.padEnd(12)} ${runs} seeds, ${turns} turns`);
	console.log(`${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
	return isGood;
}
