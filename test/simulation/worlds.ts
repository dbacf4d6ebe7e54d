// The worlds by name. Each is loaded only when it is wanted, after a bug may have been planted in what it loads.
import type { Mutant } from "./mutants.ts";
import type { Ground, Outcome, World } from "./world.ts";

export interface Opened {
	/** `lines`: filled with what happened. */
	simulate(seed: number, lines?: string[]): Promise<Outcome>;
	close(): Promise<void>;
}

const inMemory = async (make: (ground: Ground) => World, plant?: Mutant): Promise<Opened> => {
	const { simulate } = await import("./world.ts");
	return { simulate: (seed, lines) => simulate(seed, make, plant, lines), close: async () => {} };
};

export const worlds: Record<string, (plant?: Mutant) => Promise<Opened>> = {
	purchases: async plant => inMemory((await import("./purchases.world.ts")).purchases, plant),
	selections: async plant => inMemory((await import("./selections.world.ts")).picks, plant),
	records: async plant => inMemory((await import("./records.world.ts")).records, plant),
	orders: async () => (await import("./orders.world.ts")).openOrders()
};
