// Applies a mutant: changes one piece of the real source while Node loads it.
import { registerHooks } from "node:module";
import type { Mutant } from "./mutants.ts";

const root = new URL("../../", import.meta.url);

/** Call it before anything imports the file. Loading the file throws unless the text to replace occurs exactly once. */
export function applyMutant({ name, file, find, replace }: Mutant) {
	if (file === undefined || find === undefined || replace === undefined) return;
	registerHooks({
		load(url, context, next) {
			const loaded = next(url, context);
			if (url !== new URL(file, root).href) return loaded;
			const parts = String(loaded.source).split(find);
			if (parts.length !== 2)
				throw new Error(`mutant "${name}": the text to replace occurs ${parts.length - 1} times in ${file}`);
			return { ...loaded, source: parts.join(replace) };
		}
	});
}
