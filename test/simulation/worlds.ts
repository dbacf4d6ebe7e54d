// The worlds by name. Each is imported on demand, after a mutant may have been applied to the files that it imports.
import type { Mutant } from "./mutant.ts";
import type { Opened, World, WorldContext } from "./world.ts";

const inMemory = async (make: (ground: WorldContext) => World, mutant?: Mutant): Promise<Opened> => {
	const { simulate } = await import("./world.ts");
	return { simulate: (seed, lines) => simulate(seed, make, mutant, lines), close: async () => {} };
};

export const worlds: Record<string, (mutant?: Mutant) => Promise<Opened>> = {
	purchases: async mutant => inMemory((await import("./purchases.world.ts")).purchases, mutant),
	selections: async mutant => inMemory((await import("./selections.world.ts")).picks, mutant),
	records: async mutant => inMemory((await import("./records.world.ts")).records, mutant),
	orders: async () => (await import("./orders.world.ts")).openOrders(),
	seats: async () => (await import("./seats.world.ts")).openSeats()
};
