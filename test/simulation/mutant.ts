// Plants a bug: changes one piece of the real source while it is loaded.
import { registerHooks } from "node:module";
import type { Mutant } from "./mutants.ts";

const root = new URL("../../", import.meta.url);

/** Throws, when the file is loaded, unless what is to be replaced is there exactly once. Call it before anything loads that file. */
export function applyMutant({ name, file, find, replace }: Mutant) {
	if (file === undefined || find === undefined || replace === undefined) return;
	registerHooks({
		load(url, context, next) {
			const loaded = next(url, context);
			if (url !== new URL(file, root).href) return loaded;
			const parts = String(loaded.source).split(find);
			if (parts.length !== 2) throw new Error(`plant "${name}": what it replaces is ${parts.length - 1} times in ${file}`);
			return { ...loaded, source: parts.join(replace) };
		}
	});
}
