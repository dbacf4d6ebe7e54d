import { tally } from "../../services/selections/selections.tally.ts";
import { closedLoop } from "../load.ts";
import type { Measure, Side } from "../measure.ts";
import { openKeyspace, pickAt } from "../tallies.ts";

const FEW_ROWS = 1_000;
const MANY_ROWS = 1_000_000;
const QUICK_ROWS = 10_000;
const ROWS_AT_ONCE = 10_000;
const NAME = "d";

/** Repeated picks of one name that already has this many rows. */
async function picking(rows: number): Promise<Side & { close(): Promise<void> }> {
	const { store, close } = await openKeyspace();
	const source = { epoch: 0, partition: 0 };
	for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
		const more = Array.from({ length: Math.min(ROWS_AT_ONCE, rows - from) }, (_, n) => ({
			...pickAt(0, from + n, NAME).message,
			...source,
			offset: from + n
		}));
		const offset = from + more.length - 1;
		await store.write(source, {
			selections: more,
			totals: new Map([[NAME, { picks: offset + 1, appliedOffset: offset }]]),
			appliedOffset: offset
		});
	}
	const count = tally(store);
	let offset = rows;
	const pick = async () => {
		const received = [pickAt(0, offset++, NAME)];
		const { counts } = await count({ received, partition: 0, endOffset: offset, currentEnd: async () => offset, first: false });
		if (counts[0]?.count !== offset) throw new Error(`${offset} picks are counted as ${counts[0]?.count}`);
	};
	return { name: `${rows.toLocaleString("en")} rows`, round: ms => closedLoop(1, ms, pick), close };
}

export const onePick: Measure = {
	id: "G3",
	title: `one pick counted at ${MANY_ROWS.toLocaleString("en")} rows of its name, one after the other`,
	against: `the same at ${FEW_ROWS.toLocaleString("en")}`,
	layout: "counting and its store in the client's process; Cassandra",
	targets: [
		{ metric: "cpuUs", most: 1.1 },
		{ metric: "p50Ms", most: 1.1 }
	],
	async open({ quick }) {
		const [ours, baseline] = [await picking(quick ? QUICK_ROWS : MANY_ROWS), await picking(FEW_ROWS)];
		return {
			ours,
			baseline,
			async close() {
				await ours.close();
				await baseline.close();
			}
		};
	}
};
