// Models of the stores of picks and of the summary. The store of picks behaves like Postgres (one atomic statement) or like Cassandra
// (each row at its own time, or not at all); in both, the newer write wins, whatever the order of arrival.
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
	checkpoints: ReadonlyMap<number, Checkpoint>;
}

export function modelSelections(scheduler: Scheduler, faults: Faults): Picks {
	const server = serverNamed("selections", scheduler, faults);
	/** Whether rows are written separately, as in Cassandra. */
	const isByRow = scheduler.random.chance(0.5);
	const stored = new Map<string, Stored>();
	const totals = new Map<string, Total>();
	const checkpoints = new Map<number, Checkpoint>();
	const keyOf = (name: string, partition: number, epoch: number) => JSON.stringify([name, partition, epoch]);

	/** By row, each is a request that arrives at its own time, while others of the same write are lost. */
	const write = async (rows: (() => void)[]) => {
		if (!isByRow) return server.request("write", () => rows.forEach(row => void row()));
		const writeRow = (row: () => void) =>
			server.request("write row", () => {
				if (faults.shouldInject("partial")) throw unavailable("Cassandra");
				row();
			});
		await Promise.all(rows.map(writeRow));
	};
	const nameOf = (key: string) => JSON.parse(key)[0] as string;
	const countOf = (name: string) => [...totals].reduce((sum, [key, { picks }]) => sum + (nameOf(key) === name ? picks : 0), 0);

	const store: SelectionStore = {
		checkpoint: partition =>
			server.request("checkpoint", () => ({ ...(checkpoints.get(partition) ?? { epoch: 0, appliedOffset: -1 }) })),

		seen: ids => server.request("seen", () => new Map(ids.flatMap(id => (stored.has(id) ? [[id, { ...stored.get(id)! }]] : [])))),

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

		write: ({ partition, epoch }, { selections, totals: changed, appliedOffset }) =>
			write([
				...selections.map(one => () => {
					if (!stored.has(one.id)) stored.set(one.id, one);
				}),
				...[...changed].map(([name, total]) => () => {
					const key = keyOf(name, partition, epoch);
					if (total.appliedOffset > (totals.get(key)?.appliedOffset ?? -1)) totals.set(key, total);
				}),
				() => {
					const checkpoint = { epoch, appliedOffset };
					if (isNewer(checkpoint, checkpoints.get(partition))) checkpoints.set(partition, checkpoint);
				}
			]),

		counts: names => server.request("counts", () => names.map(name => ({ name, count: countOf(name) })))
	};
	const counts = () => new Map([...new Set([...totals.keys()].map(nameOf))].map(name => [name, countOf(name)]));
	return { store, server, counts, stored, checkpoints };
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
