// A mutant, and how it is applied: it changes one piece of the real source while Node loads it.
import { registerHooks } from "node:module";
import type { SummaryStore } from "../../services/summary/summary.store.ts";

export interface Mutant {
	name: string;
	/** The world whose checks must detect it. */
	world: string;
	file?: string;
	find?: string;
	replace?: string;
	/** Wraps the summary's store. */
	summary?: (store: SummaryStore, rows: Map<string, number>) => SummaryStore;
}

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
