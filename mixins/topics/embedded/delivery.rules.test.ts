// Histories of appends, consumers, failures and kills, made at random: what the embedded log delivers from memory and from its database.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../../test/client.ts";
import { type Random, randomFrom } from "../../../test/random.ts";
import type { Batch, Outgoing, TopicRecord } from "../topic-log.ts";
import { createAppend } from "./append.ts";
import { type Member, openGroup } from "./group.ts";
import { createPartition, type Partition, recentRecords } from "./partition.ts";
import { positionStore } from "./positions.ts";
import type { Position } from "./records.ts";

const TOPIC = "t";
const PARTITIONS = 3;
const GROUPS = ["one", "two"];
const SEEDS = 40;
const STEPS = 60;
const MAX_RECORDS = 100;

/** What the database holds, and how a process reaches it. After `kill` nothing of that process is stored any more. */
function database(random: Random) {
	const stored: TopicRecord[][] = Array.from({ length: PARTITIONS }, () => []);
	const positions = new Map<string, Position>();
	const turns = async (most: number) => {
		for (let left = random.between(0, most); left > 0; left--) await new Promise(setImmediate);
	};
	const connect = () => {
		let isKilled = false;
		const answer = async <T>(failing: number, run: () => T): Promise<T> => {
			await turns(4);
			if (isKilled || random.chance(failing)) throw new Error("the database does not answer");
			const result = run();
			await turns(4);
			if (isKilled) throw new Error("the process has ended");
			return result;
		};
		return {
			kill: () => (isKilled = true),
			records: {
				insert: (records: TopicRecord[]) =>
					answer(0.05, () => {
						for (const record of records) {
							assert.equal(record.offset, stored[record.partition]!.length, "the next offset, without gaps");
							stored[record.partition]!.push(record);
						}
					}),
				read: (_: string, partition: number, from: number, maxRecords: number) =>
					answer(0.05, () => stored[partition]!.slice(from, from + maxRecords)),
				commit: (some: Position[]) =>
					answer(0.1, () => {
						for (const one of some) {
							const key = `${one.group}/${one.partition}`;
							assert.ok(one.next >= (positions.get(key)?.next ?? 0), "a position does not go back");
							positions.set(key, { ...one });
						}
					}),
				positions: async () => structuredClone([...positions.values()])
			}
		};
	};
	return { stored, connect, committed: (group: string, partition: number) => positions.get(`${group}/${partition}`)?.next ?? 0 };
}

/** Handles a random part of each batch, or none, and checks everything that it gets. */
function consumer(random: Random, group: string, stored: TopicRecord[][], firstNext: number[]) {
	const next = [...firstNext];
	const handler = async ({ partition, records, endOffset }: Batch) => {
		const from = records[0]!.offset;
		assert.equal(from, next[partition], `group ${group}, partition ${partition}: continues where it was`);
		assert.ok(records.length <= MAX_RECORDS);
		assert.deepEqual(
			records,
			stored[partition]!.slice(from, from + records.length),
			`group ${group}, partition ${partition}: records that are stored, in order`
		);
		assert.ok(endOffset <= stored[partition]!.length);
		for (let left = random.between(0, 3); left > 0; left--) await new Promise(setImmediate);
		if (random.chance(0.03)) throw new Error("the handler fails");
		const handled = random.chance(0.1) ? random.between(0, records.length) : records.length;
		next[partition] = from + handled;
		return next[partition];
	};
	return { next, handler };
}

function assertBounded(partition: Partition) {
	const { recent, recentBytes, next } = partition;
	assert.ok(recent.length <= 256 && recentBytes <= 64 * 1024);
	assert.equal(
		recentBytes,
		recent.reduce((bytes, { key, value }) => bytes + (key?.length ?? 0) + (value?.length ?? 0), 0)
	);
	assert.deepEqual(
		recent.map(({ offset }) => offset),
		Array.from({ length: recent.length }, (_, n) => next - recent.length + n)
	);
	assert.equal(recentRecords(partition, next - recent.length - 1, 1)?.length, undefined);
}

async function run(seed: number) {
	const random = randomFrom(seed);
	const { stored, connect, committed } = database(random);
	const acknowledged: Outgoing[] = [];
	let failure: unknown;
	let sent = 0;

	/** One process: a log on the database, with a consumer for each group. */
	const start = async () => {
		const { records, kill } = connect();
		const partitions = stored.map((all, partition) => createPartition(TOPIC, partition, all.length));
		const positions = positionStore(records);
		await positions.load();
		const append = createAppend(records, () => partitions);
		const consumers = GROUPS.map(group => {
			const firstNext = partitions.map(({ partition }) => committed(group, partition));
			return { group: openGroup(group, records, positions, () => partitions), ...consumer(random, group, stored, firstNext) };
		});
		const memberOf = ({ handler }: (typeof consumers)[number]): Member => ({
			group: "",
			topics: [TOPIC],
			maxRecords: MAX_RECORDS,
			handler: async batch => {
				try {
					return await handler(batch);
				} catch (error) {
					if (error instanceof assert.AssertionError) failure = error;
					throw error;
				}
			}
		});
		const members = consumers.map(memberOf);
		for (const [n, { group }] of consumers.entries()) await group.join(members[n]!);
		return {
			partitions,
			append,
			consumers,
			kill() {
				kill();
				// Its loops would go on beside those of the next process; nothing that they store counts any more.
				for (const { group } of consumers) group.close().catch(() => {});
			}
		};
	};

	let process = await start();
	const appends: Promise<void>[] = [];
	for (let step = 0; step < STEPS; step++) {
		const { append, partitions } = process;
		const size = random.chance(0.1) ? 300 : random.between(1, 5);
		const records = Array.from({ length: size }, () => {
			const value = `${sent++} ${random.chance(0.02) ? "x".repeat(70_000) : ""}`;
			return { topic: TOPIC, key: null, value, partition: random.between(0, PARTITIONS - 1) };
		});
		appends.push(
			append(records).then(
				() => void acknowledged.push(...records),
				() => {}
			)
		);
		if (random.chance(0.6)) await new Promise(setImmediate);
		for (const partition of partitions) assertBounded(partition);
		if (random.chance(0.03)) {
			process.kill();
			process = await start();
		}
	}
	await Promise.all(appends);
	await eventually(() => {
		if (failure) return;
		for (const { next } of process.consumers)
			assert.deepEqual(
				next,
				stored.map(({ length }) => length)
			);
	}, `every record to be handled by both groups (seed ${seed})`);
	if (failure) throw new Error(`seed ${seed}`, { cause: failure });
	const values = new Set(stored.flat().map(({ value }) => String(value)));
	for (const { value } of acknowledged) assert.ok(values.has(String(value)), `seed ${seed}: ${value} was acknowledged`);
	process.kill();
}

describe("what the embedded log delivers", () => {
	it(`has no gap, keeps the order and is stored, in ${SEEDS} random histories`, async () => {
		await Promise.all(Array.from({ length: SEEDS }, (_, seed) => run(seed)));
	});
});
