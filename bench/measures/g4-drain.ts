import { randomUUID } from "node:crypto";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { database, openPostgres } from "../../mixins/database/database.ts";
import { kafkaLog } from "../../mixins/topics/kafka/kafka-log.ts";
import { topics as withTopics } from "../../mixins/topics/topics.ts";
import { config } from "../../runtime/config.ts";
import { actions, topics } from "../../services/contract.ts";
import type { PickBatch } from "../../services/selections/selections.tally.ts";
import { selections } from "../../services/selections/selections.ts";
import { sqlSummary } from "../../services/summary/summary.store.ts";
import { summary } from "../../services/summary/summary.ts";
import { within } from "../../test/process.ts";
import { scratchPostgres } from "../../test/scratch.ts";
import { insertPicks, type Row } from "../baselines/insert-picks.ts";
import type { Measure, Round } from "../measure.ts";
import { openKeyspace } from "../tallies.ts";

const PARTITIONS = 12;
const NAMES = ["a", "b", "c", "d"];
const USERS = 100;
/** Concurrent batches per partition, as in Plaza. */
const CONCURRENCY = 64;
/** The size of the batches that Plaza's handler receives. */
const BATCH = 500;
const BACKLOG = 12_000;
const QUICK_BACKLOG = 600;
const DRAIN_WITHIN_MS = 120_000;

const picksOf = (count: number): Row[] =>
	Array.from({ length: count }, (_, n) => ({
		id: randomUUID(),
		name: NAMES[n % NAMES.length]!,
		user_id: `user-${n % USERS}`
	}));

/** Drains backlogs until the time is up; only the time of draining counts. */
async function drained(ms: number, size: number, drain: (picks: Row[]) => Promise<number>): Promise<Round> {
	let [operations, elapsedMs] = [0, 0];
	while (elapsedMs < ms) {
		elapsedMs += await drain(picksOf(size));
		operations += size;
	}
	return { operations, elapsedMs };
}

const timed = async (work: () => Promise<unknown>) => {
	const startMs = performance.now();
	await work();
	return performance.now() - startMs;
};

/** The counting services on the real topic: batches are held back while a backlog is written, and then released. */
async function counting() {
	const scratch = await scratchPostgres();
	const db = openPostgres(scratch.url!, { maxConnections: 4 });
	const keyspace = await openKeyspace();
	const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "bench", replication: 1 });
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	const store = sqlSummary(db.knex);
	const tables = database(db, new URL("../../services/summary/migrations/", import.meta.url), { seed: () => store.seed(NAMES) });
	broker.createService(summary(store, NAMES, [tables]));

	let gate = Promise.withResolvers<void>();
	let left = new Set<string>();
	let done = () => {};
	const counted = selections(keyspace.store, {
		names: NAMES,
		mixins: [withTopics(log, { contracts: topics, partitions: PARTITIONS })]
	}) as ServiceSchema & { topics: { Selections: { batch: (handed: PickBatch) => Promise<unknown> } } };
	const { batch } = counted.topics.Selections;
	counted.topics.Selections = {
		async batch(handed: PickBatch) {
			await gate.promise;
			const answer = await batch.call(this, handed);
			for (const { message } of handed.received) left.delete(message.id);
			if (left.size === 0) done();
			return answer;
		}
	};
	broker.createService(counted);
	await broker.start();

	let total = 0;
	return {
		async drain(picks: Row[]) {
			left = new Set(picks.map(({ id }) => id));
			const all = new Promise<void>(resolve => {
				done = resolve;
			});
			await log.append(picks.map(pick => ({ topic: "Selections", key: pick.id, value: JSON.stringify(pick) })));
			const tookMs = await timed(() => {
				gate.resolve();
				return within(all, DRAIN_WITHIN_MS, () => `${left.size} of ${picks.length} picks to be counted`);
			});
			gate = Promise.withResolvers();
			total += picks.length;
			const counts = await store.list(NAMES);
			const sum = counts.reduce((sum, { count }) => sum + count, 0);
			if (sum !== total) throw new Error(`${total} picks are counted as ${sum}`);
			return tookMs;
		},
		async close() {
			gate.resolve();
			await broker.stop();
			await keyspace.close();
			await scratch.db.close();
			await scratch.remove();
		}
	};
}

async function inserting() {
	const keyspace = await openKeyspace();
	const [contactPoint] = config.cassandraContactPoints;
	const name = keyspace.connection.client.keyspace;
	const { insert, close } = await insertPicks(contactPoint!, name, { concurrency: CONCURRENCY });
	let offset = 0;
	return {
		async drain(picks: Row[]) {
			const perPartition = Math.ceil(picks.length / PARTITIONS);
			const from = offset;
			offset += perPartition;
			const ofPartition = async (partition: number) => {
				const own = picks.slice(partition * perPartition, (partition + 1) * perPartition);
				for (let n = 0; n < own.length; n += BATCH) await insert(own.slice(n, n + BATCH), partition, from + n);
			};
			return timed(() => Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => ofPartition(partition))));
		},
		async close() {
			await close();
			await keyspace.close();
		}
	};
}

export const drain: Measure = {
	id: "G4",
	title: `picks of ${USERS} users counted exactly once, draining a backlog of the topic`,
	against: "bare cassandra-driver inserts of as many rows into the same table, from memory, at the same concurrency",
	layout: "the counting services in the client's process; Kafka, Cassandra, Postgres",
	targets: [{ metric: "rate", least: 0.5 }],
	async open({ quick }) {
		const size = quick ? QUICK_BACKLOG : BACKLOG;
		const [ours, baseline] = [await counting(), await inserting()];
		return {
			ours: { name: "counted", round: ms => drained(ms, size, ours.drain) },
			baseline: { name: "inserted", round: ms => drained(ms, size, baseline.drain) },
			async close() {
				await ours.close();
				await baseline.close();
			}
		};
	}
};
