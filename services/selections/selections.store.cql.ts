// Selections in Cassandra. The statements of one step run concurrently, or in one batch if they are few.
import { concurrent, type types } from "cassandra-driver";
import type { Cassandra } from "../../mixins/cassandra.ts";
import type { Position, Source, Total } from "./selections.rules.ts";
import type { SelectionStore, Stored } from "./selections.store.ts";

/** The index on `name` is for manual queries; the tally never uses it. */
export const selectionTables = [
	`create table if not exists selections (
		id text primary key, name text, user_id text, epoch int, partition int, first_offset bigint)`,
	"create index if not exists selections_by_name on selections (name)",
	`create table if not exists selection_totals (
		name text, partition int, epoch int, n bigint, applied_offset bigint, primary key (name, partition, epoch))`,
	"create table if not exists selection_checkpoints (partition int primary key, epoch int, applied_offset bigint)"
];

const KEYS_PER_READ = 100;
const CONCURRENCY = 64;
/** Cassandra logs a warning about an unlogged batch of more partitions, and each statement here writes to its own. */
const MAX_BATCH_STATEMENTS = 10;

/** The position of a row that was inserted manually, not from a record. */
const NO_POSITION: Position = { epoch: -1, partition: -1, offset: -1 };

/**
 * In Cassandra the write with the highest timestamp wins. Timestamps derived from the log instead of the clock order the writes like their records:
 * a delayed write, or one of a former owner, is older than the write that it would overwrite. 2^40 offsets fit in an epoch; numbers are exact up
 * to 2^13 epochs.
 */
const timestampOf = (epoch: number, offset: number) => epoch * 2 ** 40 + offset + 1;

const INSERT_ID =
	"insert into selections (id, name, user_id, epoch, partition, first_offset) values (?, ?, ?, ?, ?, ?) using timestamp ?";
const INSERT_TOTAL =
	"insert into selection_totals (name, partition, epoch, n, applied_offset) values (?, ?, ?, ?, ?) using timestamp ?";
const INSERT_CHECKPOINT =
	"insert into selection_checkpoints (partition, epoch, applied_offset) values (?, ?, ?) using timestamp ?";

interface Statement {
	query: string;
	params: unknown[];
}

const insertId = ({ id, name, user_id, epoch, partition, offset }: Stored): Statement => ({
	query: INSERT_ID,
	params: [id, name, user_id, epoch, partition, offset, timestampOf(epoch, offset)]
});

const insertTotal = ({ epoch, partition }: Source, name: string, { picks, appliedOffset }: Total): Statement => ({
	query: INSERT_TOTAL,
	params: [name, partition, epoch, picks, appliedOffset, timestampOf(epoch, appliedOffset)]
});

const insertCheckpoint = ({ epoch, partition }: Source, appliedOffset: number): Statement => ({
	query: INSERT_CHECKPOINT,
	params: [partition, epoch, appliedOffset, timestampOf(epoch, appliedOffset)]
});

export function cqlSelections(connection: Pick<Cassandra, "client">): SelectionStore {
	const one = async (query: string, params: unknown[]): Promise<types.Row | undefined> =>
		(await connection.client.execute(query, params)).first();

	/** Runs the query once for each list of parameters; returns all rows. */
	const each = async (query: string, parameters: unknown[][]): Promise<types.Row[]> => {
		const options = { concurrencyLevel: CONCURRENCY, collectResults: true };
		const { resultItems } = await concurrent.executeConcurrent(connection.client, query, parameters, options);
		return resultItems.flatMap(({ rows }) => rows ?? []);
	};

	const run = (statements: Statement[]) =>
		concurrent.executeConcurrent(connection.client, statements, { concurrencyLevel: CONCURRENCY });

	const chunks = (keys: readonly string[]): string[][] =>
		Array.from({ length: Math.ceil(keys.length / KEYS_PER_READ) }, (_, n) =>
			keys.slice(n * KEYS_PER_READ, (n + 1) * KEYS_PER_READ)
		);

	return {
		async checkpoint(partition) {
			const row = await one("select epoch, applied_offset from selection_checkpoints where partition = ?", [partition]);
			return { epoch: row?.epoch ?? 0, appliedOffset: Number(row?.applied_offset ?? -1) };
		},

		async seen(ids) {
			const rows = await each(
				"select id, epoch, partition, first_offset from selections where id in ?",
				chunks(ids).map(some => [some])
			);
			return new Map(
				rows.map(({ id, epoch, partition, first_offset }) => [
					id,
					first_offset === null ? NO_POSITION : { epoch, partition, offset: Number(first_offset) }
				])
			);
		},

		async totals({ epoch, partition }, names) {
			const rows = await each(
				"select name, n, applied_offset from selection_totals where name in ? and partition = ? and epoch = ?",
				chunks(names).map(some => [some, partition, epoch])
			);
			return new Map(
				rows.map(({ name, n, applied_offset }) => [name, { picks: Number(n), appliedOffset: Number(applied_offset) }])
			);
		},

		async write(source, { selections, totals, appliedOffset }) {
			const ids = selections.map(insertId);
			const results = [
				...[...totals].map(([name, total]) => insertTotal(source, name, total)),
				insertCheckpoint(source, appliedOffset)
			];
			if (ids.length + results.length <= MAX_BATCH_STATEMENTS) {
				// Unlogged: when only a part is stored the batch has failed, and its records are redelivered.
				await connection.client.batch([...ids, ...results], { prepare: true, logged: false });
				return;
			}
			await run(ids);
			await run(results);
		},

		async counts(names) {
			const sums = await each(
				"select sum(n) as count from selection_totals where name = ?",
				names.map(name => [name])
			);
			return names.map((name, n) => ({ name, count: Number(sums[n]?.count ?? 0) }));
		}
	};
}
