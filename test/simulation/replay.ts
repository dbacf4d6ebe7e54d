// Goes through one history again.
import { sow } from "./mutant.ts";
import { plants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

/** Prints what happened, where that is wanted, and how it ended. Answers whether it ended well. */
export async function replay(world: string, seed: number, plantName: string | undefined, trace: boolean): Promise<boolean> {
	const plant = plants.find(({ name }) => name === plantName);
	if (plant) sow(plant);
	const lines: string[] = [];
	const { simulate, close } = await worlds[world]!(plant);
	const { turns, hash, error } = await simulate(seed, lines);
	await close();
	if (trace) console.log(lines.join("\n"));
	console.log(`${world} ${seed}: ${error ? "failed" : "good"} after ${turns} turns ${hash}`);
	if (error) console.log(error.stack);
	return !error;
}
