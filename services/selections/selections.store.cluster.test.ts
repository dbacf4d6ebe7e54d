import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { openCassandra } from "../../mixins/cassandra.ts";
import { config } from "../../runtime/config.ts";
import { pickedAt } from "./selections.simulation.ts";
import { cqlSelections, selectionTables } from "./selections.store.cql.ts";
import { selectionStoreSuite } from "./selections.store.suite.ts";
import { tally } from "./selections.tally.ts";

/** A new keyspace, dropped at the end. */
async function openKeyspace() {
	const keyspace = `plaza_test_${randomUUID().replaceAll("-", "")}`;
	const connection = openCassandra({ contactPoints: config.cassandraContactPoints, keyspace });
	await connection.createTables(selectionTables);
	const close = async () => {
		await connection.client.execute(`drop keyspace ${keyspace}`, [], { prepare: false, readTimeout: 20_000 });
		await connection.close();
	};
	return { connection, store: cqlSelections(connection), close };
}

selectionStoreSuite("on Cassandra", openKeyspace, 40);

describe("a pick on its own", () => {
	it("costs Cassandra three requests once its partition's totals are known, and one more for each that is not", async () => {
		const { connection, store, close } = await openKeyspace();
		try {
			const { client } = connection;
			const requests: string[] = [];
			for (const method of ["execute", "batch"] as const) {
				const original = client[method].bind(client) as (...args: unknown[]) => Promise<unknown>;
				const counted = (...args: unknown[]) => {
					requests.push(method);
					return original(...args);
				};
				Object.assign(client, { [method]: counted });
			}
			const count = tally(store);
			const requestsOf = async (offset: number, name: string) => {
				requests.length = 0;
				const received = [pickedAt(0, offset, randomUUID(), name)];
				await count({ received, partition: 0, endOffset: offset + 1, currentEnd: async () => offset + 1, first: offset === 0 });
				return requests;
			};
			await requestsOf(0, "a");
			assert.deepEqual(await requestsOf(1, "a"), ["execute", "batch", "execute"]);
			assert.equal((await requestsOf(2, "b")).length, 4);
			assert.deepEqual(await requestsOf(3, "b"), ["execute", "batch", "execute"]);
		} finally {
			await close();
		}
	});
});

describe("the table of selections", () => {
	it("can be written and counted manually, and a pick with a manually inserted id does not count", async () => {
		const { connection, store, close } = await openKeyspace();
		try {
			for (const id of ["one", "two"])
				await connection.client.execute("insert into selections (id, name) values (?, ?)", [id, "d"]);
			const place = { epoch: 0, partition: 0, offset: 0 };
			const selections = [{ id: "three", name: "d", user_id: "user", ...place }];
			await store.write(place, { selections, totals: new Map(), appliedOffset: 0 });
			const { rows } = await connection.client.execute("select count(1) as count from selections where name = ?", ["d"]);
			assert.equal(Number(rows[0]?.count), 3);
			assert.notDeepEqual((await store.seen(["one"])).get("one"), undefined);
			assert.notDeepEqual((await store.seen(["one"])).get("one"), place);
		} finally {
			await close();
		}
	});
});
