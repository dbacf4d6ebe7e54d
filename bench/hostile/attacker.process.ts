// One attack in a process of its own: `attacker.process.ts NAME MS TARGET`. Sends what it has counted once the time is up, and ends.
import type { Target } from "./attack.ts";
import { attacks } from "./attacks.ts";

/** Later than this after its time is up, it ends without an answer. */
const GRACE_MS = 5_000;

const [name, ms, target] = process.argv.slice(2);
const attack = attacks.find(one => one.name === name);
if (!attack) throw new Error(`no attack ${name}`);

setTimeout(() => process.exit(1), Number(ms) + GRACE_MS);
// Nobody is left to attack for, and nothing else may end it earlier: the attacked system may answer anything.
process.on("disconnect", () => process.exit(1));
process.on("uncaughtException", error => count(`error: ${error.message}`));

const counts: Record<string, number> = {};
function count(outcome: string) {
	counts[outcome] = (counts[outcome] ?? 0) + 1;
}
await attack.run({ ...(JSON.parse(target!) as Target), endMs: performance.now() + Number(ms), count });
process.send!(counts, () => process.exit());
