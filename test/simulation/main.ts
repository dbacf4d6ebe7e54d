// The simulation, from the command line.
import { type Ground, simulate, type World } from "./world.ts";

const worlds: Record<string, () => Promise<(ground: Ground) => World>> = {
	purchases: async () => (await import("./purchases.world.ts")).purchases
};
const [seed, count] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 1)];
const make = await worlds.purchases!();
const t = process.hrtime.bigint();
let turns = 0;
for (let n = seed; n < seed + count; n++) {
	const lines: string[] | undefined = count === 1 ? [] : undefined;
	const outcome = await simulate(n, make, lines);
	turns += outcome.turns;
	if (lines) console.log(lines.slice(-Number(process.argv[4] ?? 60)).join("\n"));
	if (outcome.error || lines) console.log(n, outcome.hash, outcome.turns, outcome.error?.stack);
}
console.log(Number(process.hrtime.bigint() - t) / 1e6 / count, "ms a run", turns / count, "turns");
process.exit();
