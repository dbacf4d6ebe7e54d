// Goes through one history again.
import { applyMutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

/** Prints what happened, where that is wanted, and how it ended. Answers whether it ended well. */
export async function replay(world: string, seed: number, plantName: string | undefined, trace: boolean): Promise<boolean> {
	const plant = mutants.find(({ name }) => name === plantName);
	if (plant) applyMutant(plant);
	const lines: string[] = [];
	const { simulate, close } = await worlds[world]!(plant);
	const { turns, hash, error } = await simulate(seed, lines);
	await close();
	if (trace) console.log(lines.join("\n"));
	console.log(`${world} ${seed}: ${error ? "failed" : "good"} after ${turns} turns ${hash}`);
	if (error) console.log(error.stack);
	return !error;
}
