// What counting costs on Cassandra, as ratios: picks against bare inserts of the same rows, and one pick at many rows of its name against one at few.
//
//     node bench/selections.ts [picks, default 50000] [rows, default 1000000]
//
// Makes keyspaces of its own at CASSANDRA_CONTACT_POINTS and drops them.
import { randomUUID } from "node:crypto";
import { concurrent } from "cassandra-driver";
import { config } from "../config.ts";
import { openCassandra } from "../mixins/cassandra.ts";
import type { Picked } from "../services/selections/selections.rules.ts";
import { cqlSelections, selectionTables } from "../services/selections/selections.store.cql.ts";
import { tally } from "../services/selections/selections.tally.ts";

const PARTITIONS = 12;
const BATCH = 500;
const ROUNDS = 10;
const CONCURRENCY = 64;
const FEW_ROWS = 1_000;
const SINGLE_PICKS = 400;
const NAMES = ["a", "b", "c", "d"];

async function openKeyspace() {
	const keyspace = `plaza_bench_${randomUUID().replaceAll("-", "")}`;
	const connection = openCassandra({ contactPoints: config.cassandraContactPoints, keyspace });
	await connection.make(selectionTables);
	const close = async () => {
		await connection.client.execute(`drop keyspace ${keyspace}`, [], { prepare: false, readTimeout: 60_000 });
		await connection.close();
	};
	return { connection, store: cqlSelections(connection), close };
}

const pickAt = (partition: number, offset: number, name: string): Picked => ({
	message: { id: randomUUID(), name, user_id: `user-${offset % 1_000}` },
	record: { topic: "Selections", partition, offset, key: null, value: null, headers: {}, timestampMs: 0 },
	requestID: "",
	ctx: { call: () => Promise.reject(new Error("counting calls nobody")) }
});

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const timed = async (work: () => Promise<unknown>) => {
	const startMs = performance.now();
	await work();
	return performance.now() - startMs;
};

/** Picks and bare inserts take turns, so that a machine that is busy with other things is busy for both. */
async function drain(picks: number) {
	const [counted, bare] = [await openKeyspace(), await openKeyspace()];
	const count = tally(counted.store);
	const perPartition = Math.ceil(picks / ROUNDS / PARTITIONS);
	const insert = "insert into selections (id, name, user_id, epoch, partition, first_offset) values (?, ?, ?, ?, ?, ?)";
	const ratios: number[] = [];
	for (let round = -1; round < ROUNDS; round++) {
		const from = (round + 1) * perPartition;
		const logs = Array.from({ length: PARTITIONS }, (_, partition) =>
			Array.from({ length: perPartition }, (_, n) => pickAt(partition, from + n, NAMES[n % NAMES.length]!))
		);
		const inBatches = (handle: (batch: Picked[], partition: number) => Promise<unknown>) =>
			Promise.all(
				logs.map(async (log, partition) => {
					for (let n = 0; n < log.length; n += BATCH) await handle(log.slice(n, n + BATCH), partition);
				})
			);
		const countAll = () =>
			inBatches((received, partition) => count({ received, partition, endOffset: from + perPartition, first: false }));
		const insertAll = () =>
			inBatches(received => {
				const rows = received.map(({ message: { id, name, user_id }, record: { partition, offset } }) => [
					id,
					name,
					user_id,
					0,
					partition,
					offset
				]);
				return concurrent.executeConcurrent(bare.connection.client, insert, rows, { concurrencyLevel: CONCURRENCY });
			});
		const inOrder = round % 2 === 0 ? [countAll, insertAll] : [insertAll, countAll];
		const [first, second] = [await timed(inOrder[0]!), await timed(inOrder[1]!)];
		const [countMs, insertMs] = round % 2 === 0 ? [first, second] : [second, first];
		const rate = (ms: number) => Math.round((perPartition * PARTITIONS * 1_000) / ms);
		console.log(`  ${round < 0 ? "warm-up" : `round ${round + 1}`}: ${rate(countMs)} picks/s, ${rate(insertMs)} inserts/s`);
		if (round >= 0) ratios.push(insertMs / countMs);
	}
	console.log(
		`drain: ${median(ratios).toFixed(2)} of the rate of bare inserts (${ratios.map(one => one.toFixed(2)).join(", ")})`
	);
	await Promise.all([counted.close(), bare.close()]);
}

/** A store with so many rows of one name, and who picks that name once more. */
async function filled(rows: number) {
	const { store, close } = await openKeyspace();
	const source = { epoch: 0, partition: 0 };
	for (let from = 0; from < rows; from += 10_000) {
		const more = Array.from({ length: Math.min(10_000, rows - from) }, (_, n) => ({
			...pickAt(0, from + n, "a").message,
			...source,
			offset: from + n
		}));
		await store.add(more);
	}
	await store.setTotals(source, new Map([["a", { n: rows, appliedOffset: rows - 1 }]]));
	const count = tally(store);
	let offset = rows;
	const pick = () => {
		const received = [pickAt(0, offset++, "a")];
		return timed(() => count({ received, partition: 0, endOffset: offset, first: false }));
	};
	return { pick, close };
}

async function single(rows: number) {
	const [few, many] = [await filled(FEW_ROWS), await filled(rows)];
	const [atFewMs, atManyMs]: [number[], number[]] = [[], []];
	for (let n = -100; n < SINGLE_PICKS; n++) {
		const [fewMs, manyMs] = [await few.pick(), await many.pick()];
		if (n < 0) continue;
		atFewMs.push(fewMs);
		atManyMs.push(manyMs);
	}
	const [fewMs, manyMs] = [median(atFewMs), median(atManyMs)];
	console.log(
		`one pick: ${fewMs.toFixed(2)} ms at ${FEW_ROWS} rows, ${manyMs.toFixed(2)} ms at ${rows}: ${(manyMs / fewMs).toFixed(2)} times`
	);
	await Promise.all([few.close(), many.close()]);
}

const [picks = 50_000, rows = 1_000_000] = process.argv.slice(2).map(Number);
await drain(picks);
await single(rows);
