// The promises of the summary, on a given Postgres.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { sqlSummary } from "./summary.store.ts";
import { summary, summaryTables } from "./summary.ts";

export const summarySuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`summary on ${where}`, () => {
		const names = ["b", "a", "ü"];
		let opened: Scratch;
		let broker: ServiceBroker;
		let call: Caller["call"];
		before(async () => {
			opened = await open();
			broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
			const store = sqlSummary(opened.db.knex);
			broker.createService(summary(store, names, [summaryTables(opened.db, store, names)]));
			await broker.start();
			call = broker.call.bind(broker) as Caller["call"];
		});
		after(async () => {
			await broker.stop();
			await opened.remove();
		});
		const countOf = async (name: string) => (await call("summary.list", {})).find(one => one.name === name)?.count;

		it("has a row for every configured name from the start", async () => {
			const rows = await opened.db.knex("selections_summary").select("name");
			assert.deepEqual(rows.map(({ name }) => name).sort(), [...names].sort());
		});

		it("lists every configured name in the configured order, zeros too", async () => {
			assert.deepEqual(
				(await call("summary.list", {})).map(({ name }) => name),
				names
			);
		});

		it("never overwrites a newer count with an older one, in any order", async () => {
			await Promise.all(
				[7, 3, 9, 1, 8].map(count =>
					call("summary.raise", {
						counts: [
							{ name: "a", count },
							{ name: "b", count: count * 2 }
						]
					})
				)
			);
			await call("summary.raise", {
				counts: [
					{ name: "b", count: 5 },
					{ name: "a", count: 2 }
				]
			});
			assert.deepEqual([await countOf("a"), await countOf("b")], [9, 18]);
		});

		it("keeps the count of a name that is no longer configured, and does not list it", async () => {
			await call("summary.raise", { counts: [{ name: "old", count: 4 }] });
			assert.equal(await countOf("old"), undefined);
			assert.equal(Number((await opened.db.knex("selections_summary").where({ name: "old" }).first()).count), 4);
		});

		it("keeps the counts after a restart", async () => {
			await call("summary.raise", { counts: [{ name: "ü", count: 6 }] });
			await sqlSummary(opened.db.knex).seed(names);
			assert.equal(await countOf("ü"), 6);
		});

		it("rejects a negative count and names it", async () => {
			await assert.rejects(call("summary.raise", { counts: [{ name: "a", count: -1 }] }), {
				type: "VALIDATION_ERROR",
				code: 422
			});
		});
	});
