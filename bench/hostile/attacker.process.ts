// Runs one attack in a process of its own: `attacker.process.ts NAME MS TARGET`. Sends the counted outcomes to its parent after MS, and ends.
import type { Target } from "./attack.ts";
import { attacks } from "./attacks.ts";

/** If the attack takes this much longer than MS, the process ends without a result. */
const GRACE_MS = 5_000;

const [name, ms, target] = process.argv.slice(2);
const attack = attacks.find(one => one.name === name);
if (!attack) throw new Error(`no attack ${name}`);

setTimeout(() => process.exit(1), Number(ms) + GRACE_MS);
// The benchmark has ended. Other errors do not end this process, because the attacked system may send any answer.
process.on("disconnect", () => process.exit(1));
process.on("uncaughtException", error => count(`error: ${error.message}`));

const counts: Record<string, number> = {};
function count(outcome: string) {
	counts[outcome] = (counts[outcome] ?? 0) + 1;
}
await attack.run({ ...(JSON.parse(target!) as Target), endMs: performance.now() + Number(ms), count });
process.send!(counts, () => process.exit());
