// Orders, payments and stock: runs the services' own simulation on an embedded Postgres. One seed gives one history.
import fc from "fast-check";
import { migrate } from "../../mixins/database/migrate.ts";
import { commands, run } from "../../services/orders/orders.simulation.ts";
import { scratchEmbedded } from "../scratch.ts";
import type { Opened } from "./world.ts";

export async function openOrders(): Promise<Opened> {
	const { db, remove } = await scratchEmbedded();
	for (const owner of ["orders", "payment"])
		await migrate(db, new URL(`../../services/${owner}/migrations/`, import.meta.url), `${owner}_migrations`);
	return {
		async simulate(seed, lines) {
			const [history] = fc.sample(commands, { seed, numRuns: 1 });
			for (const command of history!) lines?.push(JSON.stringify(command));
			try {
				await run(history!, db.knex);
				return { steps: history!.length, hash: "" };
			} catch (error) {
				return { steps: history!.length, hash: "", error: error as Error };
			}
		},
		async close() {
			await db.close();
			await remove();
		}
	};
}
