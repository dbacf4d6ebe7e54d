import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { migrate } from "../../mixins/database/migrate.ts";
import type { Scratch } from "../../test/scratch.ts";
import { commands, run } from "./orders.simulation.ts";

/** `runs`: the number of histories. */
export const simulationSuite = (where: string, open: () => Promise<Scratch>, runs: number) =>
	describe(`orders and payments on ${where}, in random histories`, () => {
		let scratch: Scratch;
		before(async () => {
			scratch = await open();
			for (const owner of ["orders", "payment"])
				await migrate(scratch.db, new URL(`../${owner}/migrations/`, import.meta.url), `${owner}_migrations`);
		});
		after(async () => {
			await scratch?.db.close();
			await scratch?.remove();
		});

		it("end in one state, publish every change once, charge and refund once, and lose no stock", () =>
			fc.assert(
				fc.asyncProperty(commands, history => run(history, scratch.db.knex)),
				{ numRuns: runs }
			));
	});
