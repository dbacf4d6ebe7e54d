// Selections in Postgres: one statement for each step, for batches of any size.
import type { Knex } from "knex";
import type { SelectionStore } from "./selections.store.ts";

/** pg returns a bigint as text. */
type Row = Record<"n" | "epoch" | "partition" | "first_offset" | "applied_offset" | "count", number | string> & {
	id: string;
	name: string;
};

/** One statement, so that it is stored whole or not at all. The write with the higher applied offset is the newer one. */
const WRITE = `
	with ids as (
		insert into selections (id, name, user_id, epoch, partition, first_offset)
		select * from unnest(?::text[], ?::text[], ?::text[], ?::int[], ?::int[], ?::bigint[])
		on conflict (id) do nothing
	), totals as (
		insert into selection_totals as kept (epoch, partition, name, n, applied_offset)
		select ?::int, ?::int, * from unnest(?::text[], ?::bigint[], ?::bigint[])
		on conflict (name, partition, epoch) do update set n = excluded.n, applied_offset = excluded.applied_offset
			where kept.applied_offset < excluded.applied_offset
	)
	insert into selection_checkpoints as kept (partition, epoch, applied_offset) values (?, ?, ?)
	on conflict (partition) do update set epoch = excluded.epoch, applied_offset = excluded.applied_offset
		where (kept.epoch, kept.applied_offset) < (excluded.epoch, excluded.applied_offset)`;

const COLUMNS = ["id", "name", "user_id", "epoch", "partition", "offset"] as const;

export function sqlSelections(db: Knex): SelectionStore {
	const rows = async (sql: string, bindings: Knex.RawBinding[]): Promise<Row[]> => (await db.raw(sql, bindings)).rows;

	return {
		async checkpoint(partition) {
			const [kept] = await rows("select epoch, applied_offset from selection_checkpoints where partition = ?", [partition]);
			return { epoch: Number(kept?.epoch ?? 0), appliedOffset: Number(kept?.applied_offset ?? -1) };
		},

		async seen(ids) {
			const sql = "select id, epoch, partition, first_offset from selections where id = any(?::text[])";
			const found = await rows(sql, [[...ids]]);
			return new Map(
				found.map(({ id, epoch, partition, first_offset }) => [
					id,
					{ epoch: Number(epoch), partition: Number(partition), offset: Number(first_offset) }
				])
			);
		},

		async totals({ epoch, partition }, names) {
			const sql =
				"select name, n, applied_offset from selection_totals where epoch = ? and partition = ? and name = any(?::text[])";
			const found = await rows(sql, [epoch, partition, [...names]]);
			return new Map(
				found.map(({ name, n, applied_offset }) => [name, { picks: Number(n), appliedOffset: Number(applied_offset) }])
			);
		},

		async write({ epoch, partition }, { selections, totals, appliedOffset }) {
			const values = [...totals.values()];
			const write = db.raw(WRITE, [
				...COLUMNS.map(column => selections.map(one => one[column]) as string[]),
				epoch,
				partition,
				[...totals.keys()],
				values.map(({ picks }) => picks),
				values.map(total => total.appliedOffset),
				partition,
				epoch,
				appliedOffset
			]);
			// The name lets a connection plan it once; the plan of an insert does not depend on how large the tables are.
			await write.options({ name: "write_selections" });
		},

		async counts(names) {
			const sql = "select name, sum(n) as count from selection_totals where name = any(?::text[]) group by name";
			const sums = new Map((await rows(sql, [[...names]])).map(({ name, count }) => [name, Number(count)]));
			return names.map(name => ({ name, count: sums.get(name) ?? 0 }));
		}
	};
}
