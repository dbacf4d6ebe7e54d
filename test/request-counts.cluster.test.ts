// What `npm run bench -- questions` counts, on the cluster profile: each request to Postgres, Cassandra, Redis and Kafka once.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { Client } from "cassandra-driver";
import { Redis } from "ioredis";
import { countQuestions } from "../bench/measures/questions.ts";
import { countDrivers } from "../bench/questions/count-drivers.ts";
import { type Counts, difference, totalOf } from "../bench/questions/counts.ts";
import { makeTopic } from "../bench/topic.ts";
import { kafkaLog } from "../mixins/topics/kafka/kafka-log.ts";
import { config } from "../runtime/config.ts";
import { scratchPostgres } from "./scratch.ts";

const root = join(import.meta.dirname, "..");

describe("the counts of requests, cluster", () => {
	const counts: Counts = {};
	before(() => countDrivers(root, counts));
	/** What the work has added. */
	const during = async (work: () => Promise<unknown>) => {
		const start = structuredClone(counts);
		await work();
		return difference(start, counts);
	};

	it("count each statement to Postgres once", async () => {
		const { db, remove } = await scratchPostgres();
		const { "Postgres statements": statements } = await during(() => db.knex.raw("select ?::int as answer", [42]));
		await db.close();
		await remove();
		assert.equal(statements?.["select $1::int as answer"], 1);
	});

	it("count each request to Cassandra once, a batch as one", async () => {
		const client = new Client({ contactPoints: config.cassandraContactPoints, localDataCenter: "datacenter1" });
		await client.connect();
		const { "Cassandra requests": requests } = await during(async () => {
			await client.execute("select cluster_name from system.local where key = 'local'");
			// The server refuses it, because there is no such table: it was sent all the same.
			await assert.rejects(client.batch(["insert into a.b (c) values (1)", "insert into a.b (c) values (2)"]));
		});
		await client.shutdown();
		assert.equal(requests?.["Query select cluster_name from system.local where key = 'local'"], 1);
		assert.equal(requests?.["Batch insert into a.b (c) values (1) and 1 more"], 1);
	});

	it("count each command to Redis once, and a pipeline as one write", async () => {
		const redis = new Redis(config.redisUrl);
		const more = await during(async () => {
			// It waits for the connection first.
			await redis.get("nothing");
			await redis.pipeline().get("nothing").get("nothing").exec();
		});
		redis.disconnect();
		assert.equal(more["Redis commands"]?.get, 3);
		assert.equal(more["Redis writes"]?.get, 1);
		assert.equal(more["Redis writes"]?.pipeline, 1);
	});

	it("count requests to Kafka by their name, and those of Moleculer's transporter apart", async () => {
		for (const [prefix, resource] of [["topic", "Kafka Produce"] as const, ["MOL-plaza", "transporter requests"] as const]) {
			const topic = `${prefix}-${randomUUID()}`;
			await makeTopic(topic);
			const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "counts", replication: 1 });
			const more = await during(() => log.append([{ topic, key: "key", value: "value" }]));
			await log.close();
			const produced = (["Kafka Produce", "transporter requests"] as const).filter(one => more[one]?.Produce);
			assert.deepEqual(produced, [resource]);
			assert.equal(more[resource]?.Produce, 1);
		}
	});

	it("belong to the event that caused them, in a whole system", async () => {
		const events = 2;
		const { kinds } = await countQuestions("cluster", { events, idleMs: 500, system: root });
		for (const [kind, { counts }] of Object.entries(kinds)) {
			assert.ok((counts.frames?.text ?? 0) >= events, `${kind}: every event sends its client a frame`);
			assert.ok(totalOf(counts, "Kafka Produce") >= events, `${kind}: every event is a record`);
		}
		assert.ok(totalOf(kinds.pick!.counts, "Cassandra requests") > 0, "a pick is stored in Cassandra");
		assert.equal(totalOf(kinds.purchase!.counts, "Cassandra requests"), 0);
	});
});
