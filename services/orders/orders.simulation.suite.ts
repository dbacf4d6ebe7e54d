import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { migrate } from "../../mixins/database/database.ts";
import type { Scratch } from "../../test/scratch.ts";
import { commands, run } from "./orders.simulation.ts";

/** `runs`: how many histories. */
export const simulationSuite = (where: string, open: () => Promise<Scratch>, runs: number) =>
	describe(`orders and payments on ${where}, whatever happens`, () => {
		let scratch: Scratch;
		before(async () => {
			scratch = await open();
			for (const owner of ["orders", "payment"]) await migrate(scratch.db, new URL(`../${owner}/migrations/`, import.meta.url));
		});
		after(async () => {
			await scratch?.db.close();
			await scratch?.remove();
		});

		it("end in one state, tell every change once, charge and give back once, and lose no stock", () =>
			fc.assert(
				fc.asyncProperty(commands, history => run(history, scratch.db.knex)),
				{ numRuns: runs }
			));
	});
