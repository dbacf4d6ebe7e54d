// Servers with TLS and passwords: how Plaza connects to them, and what it logs when it cannot. Needs openssl.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, it, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type Logger, ServiceBroker } from "moleculer";
import { advice } from "../runtime/advice.ts";
import { readConfig } from "../runtime/config.ts";
import { eventually, fresh, httpClient } from "../test/client.ts";
import { freePorts, startProcess } from "../test/process.ts";
import { openCassandra } from "./cassandra.ts";
import { openPostgres } from "./database/database.ts";
import { type Dependency, waitUntilReachable } from "./dependency.ts";
import { openRedis } from "./redis.ts";
import { PASSWORD, type SecuredServers, securedServers } from "./tls-servers.fixture.ts";
import { kafkaLog } from "./topics/kafka/kafka-log.ts";
import { topicOn } from "./topics/topic-log.fixture.ts";
import { KafkaTransporter } from "./transporter.ts";

/** A busy machine may take this long to start a system. */
const START_MS = 120_000;
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

describe("servers with TLS and passwords", { skip: hasOpenssl ? false : "openssl is not on the PATH" }, () => {
	let servers: SecuredServers;
	const opened: { close(): Promise<void> }[] = [];
	before(async () => {
		servers = await securedServers();
	});
	after(async () => {
		await Promise.allSettled(opened.map(one => one.close()));
		await servers?.remove();
	});

	/** As runtime/drivers.ts opens them. */
	const open = (changed: Record<string, string> = {}) => {
		const config = readConfig({ PROFILE: "cluster", ...servers.environment, ...changed });
		const { kafkaBrokers: brokers, kafkaTls: tls, kafkaSasl: sasl } = config;
		const kafka = { brokers, tls, sasl, replication: 1, clientId: "test" };
		const all = {
			kafka,
			log: kafkaLog(kafka),
			postgres: openPostgres(config.databaseUrl, advice.postgres),
			redis: openRedis(config.redisUrl, advice.redis),
			cassandra: openCassandra({
				contactPoints: config.cassandraContactPoints,
				keyspace: "secured",
				tls: config.cassandraTls,
				credentials: config.cassandraCredentials,
				...advice.cassandra
			})
		};
		opened.push(all.log, all.postgres, all.redis, all.cassandra);
		return all;
	};
	/** The environment with `from` replaced in every value. */
	const changed = (from: string | RegExp, to: string) =>
		Object.fromEntries(Object.entries(servers.environment).map(([name, value]) => [name, value.replace(from, to)]));

	const asDependency = ({ log, kafka }: ReturnType<typeof open>) => ({
		name: "kafka",
		where: kafka.brokers.join(),
		advice: "start it, or set KAFKA_BROKERS",
		access: "KAFKA_USERNAME and KAFKA_PASSWORD",
		check: log.check
	});

	/** The lines that a start logs about a dependency, up to the first. */
	const linesOf = async (one: Pick<Dependency, "name" | "where" | "advice" | "access" | "check">) => {
		const lines: string[] = [];
		const note = (line: string) => void lines.push(line);
		const answers = await waitUntilReachable(one, { warn: note, info: note } as unknown as Logger, () => lines.length > 0);
		return { answers, lines };
	};
	const refused = async (all: ReturnType<typeof open>, expected: Record<string, RegExp>) => {
		const { postgres, redis, cassandra } = all;
		for (const one of [asDependency(all), postgres, redis, cassandra]) {
			const { answers, lines } = await linesOf(one);
			assert.equal(answers, false, `${one.name} accepted the connection`);
			assert.equal(lines.length, 1);
			assert.match(lines[0]!, expected[one.name]!);
			assert.ok(lines[0]!.includes(`${one.name} `) && lines[0]!.includes(one.where), lines[0]);
			assert.ok(!lines[0]!.includes("\n") && !lines[0]!.includes(PASSWORD), lines[0]);
		}
	};
	/** The whole system, in one process of the cluster profile. */
	const start = async (t: TestContext, env: Record<string, string>) => {
		const [http, grpc] = (await freePorts(2)).map(String) as [string, string];
		const own = {
			PROFILE: "cluster",
			HOST: "127.0.0.1",
			HTTP_PORT: http,
			GRPC_PORT: grpc,
			METRICS_PORT: "0",
			NODE_ID: fresh("node")
		};
		const plaza = startProcess("plaza", { ...own, GUESTS: "on", ...servers.environment, ...env });
		t.after(() => plaza.ended ?? plaza.kill("SIGKILL"));
		return { plaza, client: httpClient(`http://127.0.0.1:${http}`) };
	};
	const all = (pattern: RegExp) => ({ kafka: pattern, postgres: pattern, redis: pattern, cassandra: pattern });

	it("are not trusted while Node does not know their authority, with one log line each", () =>
		refused(open(), all(/has a certificate that is not trusted \(.*\): set NODE_EXTRA_CA_CERTS/)));

	it("are awaited by a system that does not trust them, with one log line", async t => {
		const { plaza } = await start(t, {});
		const line = await plaza.waitForOutput(/^.*NODE_EXTRA_CA_CERTS.*$/m, START_MS);
		assert.match(line, /kafka at localhost:\d+ has a certificate that is not trusted/);
		assert.equal(plaza.ended, undefined);
		assert.equal(plaza.output().trim().split("\n").length, 1, plaza.output());
	});

	it("serve the whole system once NODE_EXTRA_CA_CERTS names their authority, and it prints no password", async t => {
		const { plaza, client } = await start(t, { NODE_EXTRA_CA_CERTS: servers.authority, LOG_LEVEL: "debug" });
		await plaza.waitForOutput(/Plaza is ready/, START_MS);
		const user_id = fresh("buyer");
		const [pick, purchase] = [fresh("pick"), fresh("purchase")];
		// With their own ids they count once, however often a busy machine makes the client repeat them.
		const send = async () => {
			assert.equal((await client.post("/api/selections/async", { name: "a", id: pick, user_id })).status, 202);
			assert.equal((await client.post("/api/purchases", { user_id, id: purchase, amount: 49.99 })).status, 201);
		};
		await eventually(send, "a pick and a purchase to be accepted");
		const balance = async () =>
			assert.deepEqual((await client.get(`/api/wallet/${user_id}`)).json, { balances: { total: 49.99 } });
		await eventually(balance, "the balance");
		const counts = async () => assert.deepEqual((await client.get("/selections")).json[0], { name: "a", count: 1 });
		await eventually(counts, "the count");
		await plaza.kill("SIGTERM");
		for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) assert.ok(!plaza.output().includes(secret));
	});

	describe("with an authority that Node knows", () => {
		const known = getCACertificates("default");
		// The effect of NODE_EXTRA_CA_CERTS when a process starts.
		before(() => setDefaultCACertificates([...known, readFileSync(servers.authority, "utf8")]));
		after(() => setDefaultCACertificates(known));

		it("answer a client with the password", async () => {
			const { postgres, redis, cassandra } = open();
			const { rows } = await postgres.knex.raw("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
			assert.deepEqual(rows, [{ ssl: true }]);
			await redis.check();
			assert.equal(await redis.client.acl("WHOAMI"), "plaza");
			await cassandra.createTables(["create table if not exists things (id text primary key)"]);
			await cassandra.client.execute("insert into things (id) values ('it')");
			assert.equal((await cassandra.client.execute("select id from things")).rows.length, 1);
		});

		for (const mechanism of MECHANISMS)
			it(`keep topics for who has the password by ${mechanism}`, async () => {
				const { log } = open({ KAFKA_SASL: mechanism });
				const topic = await topicOn(log, 1);
				const handled: string[] = [];
				const member = await log.consume({
					group: fresh("group"),
					topics: [topic],
					handler: async ({ records }) => {
						handled.push(...records.map(({ value }) => String(value)));
						return records.at(-1)!.offset + 1;
					}
				});
				await log.append([{ topic, key: null, value: mechanism, partition: 0 }]);
				await eventually(() => assert.deepEqual(handled, [mechanism]), "the record");
				assert.equal(String((await log.read(topic, 0, 0, 1))[0]?.value), mechanism);
				await member.stop();
			});

		it("carry calls between nodes", async t => {
			const { brokers, replication, tls, sasl } = open().kafka;
			const namespace = fresh("test");
			const nodes = ["one", "other"].map(nodeID => {
				const transporter = new KafkaTransporter({ brokers, replication, tls, sasl, advice: "start it" });
				const node = new ServiceBroker({ namespace, nodeID, transporter, logger: false });
				node.createService({ name: nodeID, actions: { echo: ctx => ctx.params } });
				return node;
			});
			t.after(() => Promise.all(nodes.map(node => node.stop())));
			await Promise.all(nodes.map(node => node.start()));
			await nodes[0]!.waitForServices("other", 30_000);
			assert.deepEqual(await nodes[0]!.call("other.echo", { n: 1 }), { n: 1 });
		});

		it("are not trusted under another name than their certificate's", () =>
			refused(open(changed("localhost", "127.0.0.1")), all(/has a certificate that is not trusted \(.*altnames.*127\.0\.0\.1/)));

		for (const mechanism of MECHANISMS)
			it(`refuse a wrong password, with ${mechanism} too, in one line that names what to set`, () => {
				const wrong = { ...changed(/p@ss|p%40ss/, "wrong"), KAFKA_SASL: mechanism };
				return refused(open(wrong), {
					kafka: /refuses the credentials \(.*\): set KAFKA_USERNAME and KAFKA_PASSWORD/,
					postgres: /refuses the credentials \(.*\): set user, password and sslmode in DATABASE_URL/,
					redis: /refuses the credentials \(.*\): set user and password in REDIS_URL/,
					cassandra: /refuses the credentials \(.*\): set CASSANDRA_USERNAME and CASSANDRA_PASSWORD/
				});
			});

		it("refuse plain text", () => {
			const plain = { ...changed(/\?sslmode.*/, ""), KAFKA_TLS: "off", CASSANDRA_TLS: "off" };
			const url = servers.environment.REDIS_URL!.replace("rediss:", "redis:");
			return refused(open({ ...plain, REDIS_URL: url }), {
				kafka: /does not answer at .* \(it closed the connection: it may want TLS\)/,
				postgres: /refuses the credentials \(.*no encryption\)/,
				redis: /does not answer at .* \(.+\): start it/,
				cassandra: /does not answer at .* \(.+\): start it/
			});
		});
	});
});
