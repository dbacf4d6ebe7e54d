// Models of the stores of picks and of the summary. The store of picks behaves like Postgres (one atomic statement) or like Cassandra
// (one statement per row, which may be applied partially); in both, the newer write wins, whatever the order of arrival.
import { unavailable } from "../../mixins/errors.ts";
import type { Checkpoint, Total } from "../../services/selections/selections.rules.ts";
import type { SelectionStore, Stored } from "../../services/selections/selections.store.ts";
import type { SummaryStore } from "../../services/summary/summary.store.ts";
import { type Faults, type Server, serverNamed } from "./injected-faults.ts";
import type { Scheduler } from "./scheduler.ts";

const isNewer = (one: Checkpoint, other: Checkpoint | undefined) =>
	!other || one.epoch > other.epoch || (one.epoch === other.epoch && one.appliedOffset > other.appliedOffset);

export interface Picks {
	store: SelectionStore;
	server: Server;
	/** The count of each name, over all partitions. */
	counts(): Map<string, number>;
	stored: ReadonlyMap<string, Stored>;
}

export function modelSelections(scheduler: Scheduler, faults: Faults): Picks {
	const server = serverNamed("selections", scheduler, faults);
	/** Whether rows are written separately, as in Cassandra. */
	const isByRow = scheduler.random.chance(0.5);
	const stored = new Map<string, Stored>();
	const totals = new Map<string, Total>();
	const checkpoints = new Map<number, Checkpoint>();
	const keyOf = (name: string, partition: number, epoch: number) => JSON.stringify([name, partition, epoch]);

	const write = async (what: string, rows: (() => void)[]) => {
		if (rows.length === 0) return;
		await server.request(what, () => {
			if (!isByRow || !faults.shouldInject("partial")) return rows.forEach(row => void row());
			for (const row of rows) if (scheduler.random.chance(0.5)) row();
			throw unavailable("Cassandra");
		});
	};
	const nameOf = (key: string) => JSON.parse(key)[0] as string;
	const countOf = (name: string) => [...totals].reduce((sum, [key, { picks }]) => sum + (nameOf(key) === name ? picks : 0), 0);

	const store: SelectionStore = {
		checkpoint: partition =>
			server.request("checkpoint", () => ({ ...(checkpoints.get(partition) ?? { epoch: 0, appliedOffset: -1 }) })),

		setCheckpoint: (partition, checkpoint) =>
			write("set checkpoint", [
				() => {
					if (isNewer(checkpoint, checkpoints.get(partition))) checkpoints.set(partition, checkpoint);
				}
			]),

		seen: ids => server.request("seen", () => new Map(ids.flatMap(id => (stored.has(id) ? [[id, { ...stored.get(id)! }]] : [])))),

		add: selections =>
			write(
				"add",
				selections.map(one => () => {
					if (!stored.has(one.id)) stored.set(one.id, one);
				})
			),

		totals: ({ partition, epoch }, names) =>
			server.request(
				"totals",
				() =>
					new Map(
						names.flatMap(name => {
							const total = totals.get(keyOf(name, partition, epoch));
							return total ? [[name, { ...total }]] : [];
						})
					)
			),

		setTotals: ({ partition, epoch }, changed) =>
			write(
				"set totals",
				[...changed].map(([name, total]) => () => {
					const key = keyOf(name, partition, epoch);
					if (total.appliedOffset > (totals.get(key)?.appliedOffset ?? -1)) totals.set(key, total);
				})
			),

		counts: names => server.request("counts", () => names.map(name => ({ name, count: countOf(name) })))
	};
	const counts = () => new Map([...new Set([...totals.keys()].map(nameOf))].map(name => [name, countOf(name)]));
	return { store, server, counts, stored };
}

export function modelSummary(server: Server): { store: SummaryStore; rows: Map<string, number> } {
	const rows = new Map<string, number>();
	const store: SummaryStore = {
		seed: async () => {},
		list: names => server.request("list", () => names.map(name => ({ name, count: rows.get(name) ?? 0 }))),
		raise: counts =>
			server.request("raise", () => {
				for (const { name, count } of counts) rows.set(name, Math.max(count, rows.get(name) ?? 0));
			})
	};
	return { store, rows };
}
