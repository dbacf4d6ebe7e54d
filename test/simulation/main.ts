// Runs the simulation from the command line:
//
//     node test/simulation/main.ts [--seeds 500] [--world NAME]       runs each world with this number of seeds, then every mutant
//     node test/simulation/main.ts --world NAME --seed S [--trace]    replays one history
//     node test/simulation/main.ts --mutants [--mutant NAME]          runs only the mutants, or one of them
import { parseArgs } from "node:util";
import { printHelpIfAsked } from "../../runtime/help.ts";
import { mutants } from "./mutants.ts";
import { replay } from "./replay.ts";
import { runMutants } from "./run-mutants.ts";
import { scan } from "./scan.ts";
import { worlds } from "./worlds.ts";

printHelpIfAsked(`Usage: npm run test:simulation -- [--seeds 500] [--world NAME] [--seed S [--trace]] [--mutants] [--mutant NAME]

    --seeds N           runs each world, or the one of --world, with so many seeds, and then every mutant
    --world NAME --seed S [--trace]    replays one history
    --mutants           runs only the mutants; --mutant NAME only this one`);

const { values } = parseArgs({
	options: {
		seeds: { type: "string", default: "500" },
		seed: { type: "string" },
		world: { type: "string" },
		mutant: { type: "string" },
		mutants: { type: "boolean", default: false },
		trace: { type: "boolean", default: false }
	}
});

const chosen = <T>(all: T[], name: string | undefined, nameOf: (one: T) => string, what: string): T[] => {
	const some = name === undefined ? all : all.filter(one => nameOf(one) === name);
	if (some.length > 0) return some;
	console.error(`there is no ${what} ${name}: ${all.map(nameOf).join(", ")}`);
	process.exit(2);
};
const names = chosen(Object.keys(worlds), values.world, name => name, "world");
const chosenMutants = chosen(mutants, values.mutant, ({ name }) => name, "mutant");

const isGood =
	values.seed !== undefined
		? await replay(names[0]!, Number(values.seed), values.mutant, values.trace)
		: values.mutants || values.mutant !== undefined
			? await runMutants(chosenMutants)
			: (await scan(names, Number(values.seeds))) && (values.world !== undefined || (await runMutants(chosenMutants)));
process.exit(isGood ? 0 : 1);
