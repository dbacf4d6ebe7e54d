import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { type Scratch, scratchEmbedded } from "../../test/scratch.ts";
import { maintenanceOf } from "./maintenance.ts";

describe("maintenance of the embedded Postgres", () => {
	let scratch: Scratch;
	before(async () => {
		scratch = await scratchEmbedded();
	});
	after(async () => {
		await scratch.db.close();
		await scratch.remove();
	});

	it("vacuums a table with dead rows, and is one statement after a step in which nothing was written", async () => {
		const { knex } = scratch.db;
		const step = maintenanceOf(knex);
		const statements: string[] = [];
		knex.on("query", ({ sql }) => statements.push(sql));
		const statementsOf = async () => {
			statements.length = 0;
			await step();
			return [...statements];
		};
		await knex.raw("create table counters as select n from generate_series(1, 3000) n");
		await statementsOf();
		const [written, ...others] = await statementsOf();
		assert.match(written!, /pg_current_wal_lsn/);
		assert.deepEqual(others, []);

		await knex.raw("update counters set n = n + 1");
		const vacuums = () => statements.filter(sql => sql.startsWith("vacuum"));
		await eventually(async () => {
			// Postgres reports dead rows about a second late.
			await knex.raw("update counters set n = n + 1");
			await statementsOf();
			assert.deepEqual(vacuums(), ['vacuum analyze "counters"']);
		}, "the table to be vacuumed");
	});

	it("checkpoints after 64 MiB", async () => {
		const { knex } = scratch.db;
		const step = maintenanceOf(knex);
		const checkpoint = async () => (await knex.raw("select redo_lsn from pg_control_checkpoint()")).rows[0].redo_lsn;
		await step();
		const before = await checkpoint();
		await step();
		assert.equal(await checkpoint(), before);
		await knex.raw("create table large as select repeat(md5(n::text), 30) as text from generate_series(1, 80000) n");
		await step();
		assert.notEqual(await checkpoint(), before);
	});
});
