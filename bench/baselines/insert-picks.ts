// What it costs to store picks and no more: the driver's own concurrent inserts, nothing read, nothing counted.
import { Client, concurrent, types } from "cassandra-driver";

export interface Row {
	id: string;
	name: string;
	user_id: string;
}

const INSERT = "insert into selections (id, name, user_id, epoch, partition, first_offset) values (?, ?, ?, 0, ?, ?)";

/** Into a table as Plaza has it, by its name and index too. */
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
