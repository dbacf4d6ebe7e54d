import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { openCassandra } from "../../mixins/cassandra.ts";
import { config } from "../../runtime/config.ts";
import { cqlSelections, selectionTables } from "./selections.store.cql.ts";
import { selectionStoreSuite } from "./selections.store.suite.ts";

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

describe("the table of selections", () => {
	it("can be written and counted manually, and a pick with a manually inserted id does not count", async () => {
		const { connection, store, close } = await openKeyspace();
		try {
			for (const id of ["one", "two"])
				await connection.client.execute("insert into selections (id, name) values (?, ?)", [id, "d"]);
			const place = { epoch: 0, partition: 0, offset: 0 };
			await store.add([{ id: "three", name: "d", user_id: "user", ...place }]);
			const { rows } = await connection.client.execute("select count(1) as count from selections where name = ?", ["d"]);
			assert.equal(Number(rows[0]?.count), 3);
			assert.notDeepEqual((await store.seen(["one"])).get("one"), undefined);
			assert.notDeepEqual((await store.seen(["one"])).get("one"), place);
		} finally {
			await close();
		}
	});
});
