// Counting picks on a separate Cassandra keyspace, which is dropped afterwards.
import { randomUUID } from "node:crypto";
import { openCassandra } from "../mixins/cassandra.ts";
import { config } from "../runtime/config.ts";
import type { ReceivedPick } from "../services/selections/selections.rules.ts";
import { cqlSelections, selectionTables } from "../services/selections/selections.store.cql.ts";

export async function openKeyspace() {
	const keyspace = `plaza_bench_${randomUUID().replaceAll("-", "")}`;
	const connection = openCassandra({ contactPoints: config.cassandraContactPoints, keyspace });
	await connection.createTables(selectionTables);
	const close = async () => {
		await connection.client.execute(`drop keyspace ${keyspace}`, [], { prepare: false, readTimeout: 60_000 });
		await connection.close();
	};
	return { connection, store: cqlSelections(connection), close };
}

/** A pick as its handler receives it, from this position of the topic. */
export const pickAt = (partition: number, offset: number, name: string): ReceivedPick => ({
	message: { id: randomUUID(), name, user_id: `user-${offset % 1_000}` },
	record: { topic: "Selections", partition, offset, key: null, value: null, headers: {}, timestampMs: 0 },
	requestID: "",
	ctx: { call: () => Promise.reject(new Error("counting makes no calls")) }
});
