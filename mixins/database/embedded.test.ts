// node-postgres on PGlite: errors, named statements and large values, with each statement in one call.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { type Scratch, scratchEmbedded } from "../../test/scratch.ts";

describe("the embedded Postgres", () => {
	let scratch: Scratch;
	before(async () => {
		scratch = await scratchEmbedded();
		await scratch.db.knex.raw("create table numbers (n int primary key)");
	});
	after(async () => {
		await scratch.db.close();
		await scratch.remove();
	});

	it("runs a statement in one call", async context => {
		const { knex } = scratch.db;
		await knex.raw("select 1");
		const calls = context.mock.method(PGlite.prototype, "execProtocolStream").mock;
		const { rows } = await knex.raw("select ?::int + 1 as n", [1]);
		assert.deepEqual(rows, [{ n: 2 }]);
		assert.equal(calls.callCount(), 1);
		await knex.transaction(trx => trx("numbers").insert({ n: 1 }));
		// Begin, insert, commit.
		assert.equal(calls.callCount(), 4);
	});

	it("answers the next statement after one that fails at any of its steps", async () => {
		const { knex } = scratch.db;
		const fail = {
			"to be parsed": () => knex.raw("selct ?::int", [1]),
			"for its type": () => knex.raw("select ?::int", ["text"]),
			"to run": () => knex.raw("select 1 / ?::int", [0]),
			"without values": () => knex.raw("select 1 / 0"),
			"for a constraint": () => knex.raw("insert into numbers values (?), (?)", [7, 7])
		};
		for (const [how, run] of Object.entries(fail)) {
			await assert.rejects(run(), { name: "error" }, how);
			const { rows } = await knex.raw("select ?::text as how", [how]);
			assert.deepEqual(rows, [{ how }]);
		}
	});

	it("rolls back a transaction whose statement fails, and nothing that others write meanwhile", async () => {
		const { knex } = scratch.db;
		const failing = knex.transaction(async trx => {
			await trx("numbers").insert({ n: 20 });
			await trx.raw("select 1 / ?::int", [0]);
		});
		await Promise.all([assert.rejects(failing, /division by zero/), knex("numbers").insert({ n: 21 })]);
		assert.deepEqual(await knex("numbers").whereIn("n", [20, 21]).pluck("n"), [21]);
	});

	it("runs a named statement again, also after it has failed", async () => {
		const { knex } = scratch.db;
		const divide = (by: number) => knex.raw("select 12 / ?::int as n", [by]).options({ name: "divide" });
		for (const by of [1, 2, 0, 3, 4]) {
			if (by === 0) await assert.rejects(divide(by), /division by zero/);
			else assert.deepEqual((await divide(by)).rows, [{ n: 12 / by }]);
		}
	});

	it("runs a named statement again after its connection has failed: the session is the same", async () => {
		const { knex } = scratch.db;
		const insert = (n: number) => knex.raw("insert into numbers values (?)", [n]).options({ name: "insert number" });
		await insert(30);
		const failed = await knex.client.acquireConnection();
		failed.connection.emit("error", new Error("the connection is lost"));
		await knex.client.releaseConnection(failed);
		await insert(31);
		const next = await knex.client.acquireConnection();
		await knex.client.releaseConnection(next);
		assert.notEqual(next, failed);
		assert.deepEqual(await knex("numbers").whereIn("n", [30, 31]).orderBy("n").pluck("n"), [30, 31]);
	});

	it("carries values and results of several megabytes", async () => {
		const { knex } = scratch.db;
		const text = "ü".repeat(3_000_000);
		const { rows } = await knex.raw("select ?::text as text, n from generate_series(1, 3) n", [text]);
		assert.deepEqual(
			rows.map((row: { text: string }) => row.text === text),
			[true, true, true]
		);
	});
});
