// Proves that the simulation finds bugs: plants each of them, and counts the seeds until it is caught.
import type { Mutant } from "./mutants.ts";
import { runAll } from "./workers.ts";

const MAX_SEEDS = 1_000;

/** Prints how many seeds each bug took; answers whether all were caught. */
export async function runMutants(bugs: Mutant[]): Promise<boolean> {
	const startedAtMs = performance.now();
	const jobs = bugs.map(({ name, world }) => ({ world, plant: name, first: 1, seeds: MAX_SEEDS }));
	const width = Math.max(...bugs.map(({ name }) => name.length));
	let caught = 0;
	await runAll(jobs, ({ plant, world }, { runs, failed }) => {
		if (failed) caught++;
		const [reason] = failed?.reason.split("\n") ?? [];
		const verdict = failed
			? `${String(runs).padStart(4)} seeds  ${reason?.replace(/^AssertionError \[ERR_ASSERTION\]: /, "")}`
			: "NOT CAUGHT";
		console.log(`${plant.padEnd(width)}  ${world.padEnd(10)} ${verdict}`);
	});
	console.log(`${caught} of ${bugs.length} planted bugs caught, ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
	return caught === bugs.length;
}
