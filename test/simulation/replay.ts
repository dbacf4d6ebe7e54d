// Replays one history.
import { applyMutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

/** Prints the result, and with `trace` every step. Resolves to whether the history succeeded. */
export async function replay(world: string, seed: number, mutantName: string | undefined, trace: boolean): Promise<boolean> {
	const mutant = mutants.find(({ name }) => name === mutantName);
	if (mutant) applyMutant(mutant);
	const lines: string[] = [];
	const { simulate, close } = await worlds[world]!(mutant);
	const { steps, hash, error } = await simulate(seed, lines);
	await close();
	if (trace) console.log(lines.join("\n"));
	console.log(`${world} ${seed}: ${error ? "failed" : "good"} after ${steps} steps ${hash}`);
	if (error) console.log(error.stack);
	return !error;
}
