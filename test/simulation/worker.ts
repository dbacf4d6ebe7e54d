// A worker process: runs seeds of one world, with or without a mutant, until one fails or all have passed.
import { applyMutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

/** The worker's job, as JSON on its command line. */
export interface Job {
	world: string;
	mutant?: string;
	first: number;
	seeds: number;
}

/** The result that the worker sends to its parent. */
export interface Report {
	runs: number;
	steps: number;
	failed?: { seed: number; reason: string };
}

const { world, mutant: name, first, seeds } = JSON.parse(process.argv[2]!) as Job;
const mutant = mutants.find(one => one.name === name);
if (mutant) applyMutant(mutant);
const { simulate } = await worlds[world]!(mutant);
// Thousands of errors are created here and most are expected: short stacks keep it fast.
Error.stackTraceLimit = 4;
const report: Report = { runs: 0, steps: 0 };
for (let seed = first; seed < first + seeds && !report.failed; seed++) {
	const { steps, error } = await simulate(seed);
	report.runs++;
	report.steps += steps;
	if (error) report.failed = { seed, reason: error.stack ?? error.message };
}
process.send!(report, () => process.exit());
