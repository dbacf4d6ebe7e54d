import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type Context, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { unavailable } from "../../mixins/errors.ts";
import { type RedisServer, redisServer } from "../../mixins/redis.fixture.ts";
import { openRedis, type Redis, redis as redisMixin } from "../../mixins/redis.ts";
import type { TopicLog, TopicRecord } from "../../mixins/topics/topic-log.ts";
import { eventually } from "../../test/client.ts";
import { noTopics } from "../../test/no-topics.ts";
import { actions } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import { backfill } from "./wallet.backfill.ts";
import { redisBalances } from "./wallet.store.redis.ts";
import { wallet } from "./wallet.ts";

const PARTITIONS = 2;

describe("a wallet in Redis", () => {
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	/** The tests here call no topic handler. */
	const unused = { proofs: () => Promise.reject(new Error("no record is consumed here")) };
	const call = broker.call.bind(broker) as Caller["call"];
	/** The totals in Postgres. */
	const bought = new Map<string, PurchaseTotal>();
	const records: TopicRecord[][] = Array.from({ length: PARTITIONS }, () => []);
	let isPostgresAway = false;
	let server: RedisServer;
	let redis: Redis;

	const log: Pick<TopicLog, "ends" | "read"> = {
		ends: async () => records.map(({ length }) => length),
		read: async (_topic, partition, fromOffset, maxRecords) => records[partition]!.slice(fromOffset, fromOffset + maxRecords)
	};

	before(async () => {
		server = await redisServer({ running: false });
		redis = openRedis(server.url);
		const store = redisBalances(redis, async () => records.map(({ length }) => length));
		const warm = backfill(store, { redis, log, topic: "user_purchase", everyMs: 50 });
		broker.createService(wallet(store, unused, [noTopics, warm, redisMixin(redis, { required: false })]));
		broker.createService({
			name: "purchase",
			actions: {
				total(ctx: Context<{ user_id: string }>) {
					if (isPostgresAway) throw unavailable("Postgres");
					return bought.get(ctx.params.user_id) ?? { seq: 0, total_cents: 0 };
				}
			}
		});
		await broker.start();
	});
	after(async () => {
		await broker.stop();
		await server?.remove();
	});

	function put(key: string | null, partition: number) {
		const offset = records[partition]!.length;
		const record = { topic: "user_purchase", partition, offset, key: key === null ? null : Buffer.from(key), value: null };
		records[partition]!.push({ ...record, headers: {}, timestampMs: 0 });
	}
	/** A purchase that is on the topic but not consumed yet. */
	function buy(user_id: string, seq = 1) {
		bought.set(user_id, { seq, total_cents: seq * 100 });
		put(user_id, seq % PARTITIONS);
		return user_id;
	}
	const totalOf = async (user_id: string) => (await call("wallet.getBalance", { user_id })).balances.total;
	const totalInRedis = (user_id: string) => redis.client.hget(`wallet:${user_id}`, "total_cents");

	it("starts without Redis and reads from Postgres, then fills Redis when it is available, and reads from Redis", async () => {
		const user = buy(randomUUID(), 3);
		assert.equal(await totalOf(user), 3);
		server.start();
		await eventually(async () => assert.equal(await totalInRedis(user), "300"), "the total in Redis");
		isPostgresAway = true;
		await eventually(async () => assert.equal(await totalOf(user), 3), "the total to come from Redis");
		isPostgresAway = false;
	});

	it("returns right totals at once after FLUSHALL, and backfills all users in Redis without reads", async () => {
		const users = Array.from({ length: 700 }, (_, n) => buy(randomUUID(), (n % 5) + 1));
		await redis.client.flushall();
		for (const user of users.slice(0, 20)) assert.equal(await totalOf(user), bought.get(user)!.total_cents / 100);
		await eventually(async () => {
			for (const user of users) assert.equal(await totalInRedis(user), String(bought.get(user)!.total_cents));
		}, "all users to be backfilled in Redis");
	});

	it("skips a key that is no user id", async () => {
		for (const key of ["x".repeat(65), "line\nbreak", "", null]) put(key, 1);
		const user = buy(randomUUID());
		await redis.client.flushall();
		await eventually(async () => assert.equal(await totalInRedis(user), "100"), "the user to be back in Redis");
	});

	it("reads from Postgres while Redis is down, rejects with UNAVAILABLE while both are, and reads from Redis when it is back", async () => {
		const user = buy(randomUUID());
		assert.equal(await totalOf(user), 1);
		await server.kill();
		assert.equal(await totalOf(user), 1);
		isPostgresAway = true;
		await assert.rejects(totalOf(user), { type: "UNAVAILABLE", code: 503 });
		isPostgresAway = false;
		server.start();
		await eventually(async () => assert.equal(await totalInRedis(user), "100"), "the user to be back in Redis");
		isPostgresAway = true;
		await eventually(async () => assert.equal(await totalOf(user), 1), "the total to come from Redis");
		isPostgresAway = false;
	});
});
