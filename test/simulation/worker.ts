// One process of the simulation: runs the seeds of one world, with a bug planted or without, until one fails or all have passed.
import { applyMutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

/** What a worker is given, as JSON, on its command line. */
export interface Job {
	world: string;
	plant?: string;
	first: number;
	seeds: number;
}

/** What it answers. */
export interface Report {
	runs: number;
	turns: number;
	failed?: { seed: number; reason: string };
}

const { world, plant: name, first, seeds } = JSON.parse(process.argv[2]!) as Job;
const plant = mutants.find(one => one.name === name);
if (plant) applyMutant(plant);
const { simulate } = await worlds[world]!(plant);
// Errors are made by the thousand here, and most are expected.
Error.stackTraceLimit = 4;
const report: Report = { runs: 0, turns: 0 };
for (let seed = first; seed < first + seeds && !report.failed; seed++) {
	const { turns, error } = await simulate(seed);
	report.runs++;
	report.turns += turns;
	if (error) report.failed = { seed, reason: error.stack ?? error.message };
}
process.send!(report, () => process.exit());
