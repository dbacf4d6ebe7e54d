// The cost of storing picks alone: concurrent inserts by the driver, without reads or counts.
import { Client, concurrent, types } from "cassandra-driver";

export interface Row {
	id: string;
	name: string;
	user_id: string;
}

const INSERT = "insert into selections (id, name, user_id, epoch, partition, first_offset) values (?, ?, ?, 0, ?, ?)";

/** Inserts into a table with the same name and index as Plaza's. */
export async function insertPicks(contactPoint: string, keyspace: string, { concurrency }: { concurrency: number }) {
	const client = new Client({
		contactPoints: [contactPoint],
		localDataCenter: "datacenter1",
		keyspace,
		queryOptions: { prepare: true, consistency: types.consistencies.localQuorum, isIdempotent: true }
	});
	await client.connect();
	return {
		insert: (rows: Row[], partition: number, fromOffset: number) =>
			concurrent.executeConcurrent(
				client,
				INSERT,
				rows.map(({ id, name, user_id }, n) => [id, name, user_id, partition, fromOffset + n]),
				{ concurrencyLevel: concurrency }
			),
		close: () => client.shutdown()
	};
}
