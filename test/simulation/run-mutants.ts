// Proves that the simulation detects bugs: applies each mutant and counts the seeds until a check fails.
import type { Mutant } from "./mutant.ts";
import { runAll } from "./workers.ts";

const MAX_SEEDS = 3_000;

/** Prints how many seeds each mutant needed. Resolves to whether all were detected. */
export async function runMutants(mutants: Mutant[]): Promise<boolean> {
	const startedAtMs = performance.now();
	const jobs = mutants.map(({ name, world }) => ({ world, mutant: name, first: 1, seeds: MAX_SEEDS }));
	const width = Math.max(...mutants.map(({ name }) => name.length));
	let caught = 0;
	await runAll(jobs, ({ mutant, world }, { runs, failed }) => {
		if (failed) caught++;
		const [reason] = failed?.reason.split("\n") ?? [];
		const verdict = failed
			? `${String(runs).padStart(4)} seeds  ${reason?.replace(/^AssertionError \[ERR_ASSERTION\]: /, "")}`
			: "NOT CAUGHT";
		console.log(`${mutant.padEnd(width)}  ${world.padEnd(10)} ${verdict}`);
	});
	console.log(`${caught} of ${mutants.length} mutants caught, ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
	return caught === mutants.length;
}
