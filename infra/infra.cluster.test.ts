// All cluster tests rely on these servers, so the servers themselves must keep what they acknowledged.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import cassandraDriver from "cassandra-driver";
import { Redis } from "ioredis";
import { Kafka, logLevel } from "kafkajs";
import pg from "pg";
import { testServers } from "./test-servers.ts";

const UP_TIMEOUT_MS = 240_000;
const dataDir = mkdtempSync(join(tmpdir(), "plaza-infra-"));
const environment = await testServers(dataDir);

/** Runs `node infra/main.ts` as a user does. Resolves to its standard output; rejects if it fails. */
const infra = async (...args: string[]) => {
	const options = { env: { ...process.env, ...environment }, timeout: UP_TIMEOUT_MS };
	const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], options);
	return stdout;
};

const kafka = () => new Kafka({ brokers: [environment.KAFKA_BROKERS], logLevel: logLevel.NOTHING });

async function withPostgres<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
	const client = new pg.Client({ connectionString: environment.DATABASE_URL });
	await client.connect();
	return use(client).finally(() => client.end());
}

async function withCassandra<T>(use: (client: cassandraDriver.Client) => Promise<T>): Promise<T> {
	const contactPoints = [environment.CASSANDRA_CONTACT_POINTS.replace("localhost", "127.0.0.1")];
	const client = new cassandraDriver.Client({ contactPoints, localDataCenter: "datacenter1" });
	return use(client).finally(() => client.shutdown());
}

async function withRedis<T>(use: (client: Redis) => Promise<T>): Promise<T> {
	const client = new Redis(environment.REDIS_URL);
	return use(client).finally(() => client.disconnect());
}

before(() => infra("up"), { timeout: UP_TIMEOUT_MS });
after(async () => {
	await infra("wipe");
	rmSync(dataDir, { recursive: true, force: true });
});

test("starts no server again when all four run", async () => {
	const lines = (await infra("up")).trim().split("\n");
	assert.equal(lines.length, 4);
	for (const line of lines) assert.match(line, /127\.0\.0\.1:\d+ {2}pid \d+ {2}was running$/);
});

test("lets no other user of the machine read the servers' data and logs", () => {
	for (const server of ["kafka", "cassandra", "postgres", "redis"]) {
		const openTo = (path: string) => statSync(join(dataDir, path)).mode & 0o066;
		assert.equal(openTo(server), 0, server);
		assert.equal(openTo(`${server}/server.log`), 0, `the log of ${server}`);
	}
});

test("names the server, the port and a solution when another process has taken the port", async () => {
	await infra("down", "redis");
	const other = createServer().listen(Number(environment.REDIS_PORT), "127.0.0.1");
	await assert.rejects(infra("up", "redis"), { code: 1, stderr: /^redis +up failed: port \d+ is taken .* choose another port/ });
	await new Promise(closed => other.close(closed));
	await infra("up", "redis");
});

test("keeps acknowledged writes when all four servers are killed and restarted", async () => {
	const admin = kafka().admin();
	await admin.createTopics({ topics: [{ topic: "kept", numPartitions: 1 }] });
	await admin.disconnect();
	const producer = kafka().producer();
	await producer.connect();
	await producer.send({ topic: "kept", acks: -1, messages: [{ value: "x".repeat(2_500_000) }] });
	await producer.disconnect();
	await withPostgres(async client => {
		await client.query("create table kept (id int)");
		await client.query("insert into kept values (1)");
	});
	await withCassandra(async client => {
		await client.execute("create keyspace kept with replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
		await client.execute("create table kept.kept (id int primary key)");
		await client.execute("insert into kept.kept (id) values (1)");
	});
	await withRedis(client => client.set("kept", "1"));
	// Redis writes to its append-only file before it answers and calls fsync once a second: a crash of the process alone loses nothing.
	await infra("kill");
	await infra("up");

	const again = kafka().admin();
	assert.equal((await again.fetchTopicOffsets("kept"))[0]?.high, "1");
	await again.disconnect();
	assert.equal((await withPostgres(client => client.query("select from kept"))).rowCount, 1);
	assert.equal((await withCassandra(client => client.execute("select id from kept.kept"))).rowLength, 1);
	assert.equal(await withRedis(client => client.get("kept")), "1");
});

test("answers no request while it is frozen, and continues on the same connections when it is thawed", async () => {
	await withRedis(async client => {
		await client.set("frozen", "1");
		await infra("freeze", "redis");
		const answer = client.get("frozen");
		const first = await Promise.race([answer, new Promise(late => setTimeout(late, 1_000, "late"))]);
		await infra("thaw", "redis");
		assert.deepEqual([first, await answer], ["late", "1"]);
	});
});

test("creates no topic when a message is sent to a misspelt topic name", async () => {
	const client = kafka();
	const [producer, admin] = [client.producer({ retry: { retries: 0 } }), client.admin()];
	await Promise.all([producer.connect(), admin.connect()]);
	await assert.rejects(producer.send({ topic: "misspelt", messages: [{ value: "1" }] }));
	const wasCreated = await admin.createTopics({ topics: [{ topic: "misspelt", numPartitions: 1 }] });
	assert.ok(wasCreated, "the topic existed before createTopics");
	await Promise.all([producer.disconnect(), admin.disconnect()]);
});
