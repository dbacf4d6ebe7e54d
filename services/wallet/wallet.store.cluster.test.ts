import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type RedisServer, redisServer } from "../../mixins/redis.fixture.ts";
import { openRedis, type Redis } from "../../mixins/redis.ts";
import { eventually } from "../../test/client.ts";
import { redisBalances } from "./wallet.store.redis.ts";
import { balanceStoreSuite } from "./wallet.store.suite.ts";
import type { BalanceStore } from "./wallet.store.ts";

/** Reads until the store has found its data complete. */
const vouches = (store: BalanceStore) =>
	eventually(async () => assert.ok((await store.read([])).generation), "the store to vouch for what it holds");

balanceStoreSuite("in Redis", async () => {
	const server = await redisServer();
	const redis = openRedis(server.url);
	const store = redisBalances(redis, async () => []);
	await vouches(store);
	const close = async () => {
		await redis.close();
		await server.remove();
	};
	return { store, close };
});

describe("totals in a Redis that may have lost data", () => {
	let server: RedisServer;
	let redis: Redis;
	let store: BalanceStore;
	/** The committed offset of each partition. */
	let committed: number[];
	const opened: Redis[] = [];
	const open = () => {
		const connection = openRedis(server.url);
		opened.push(connection);
		return connection;
	};
	/** Until it resolves, the committed offsets are unknown. */
	let gate: PromiseWithResolvers<void>;
	const balances = (connection: Redis) =>
		redisBalances(connection, async () => {
			await gate.promise;
			return committed;
		});
	const close = () => {
		gate = Promise.withResolvers();
	};

	before(async () => {
		server = await redisServer();
	});
	beforeEach(async () => {
		committed = [0, 0];
		close();
		gate.resolve();
		redis = open();
		await eventually(() => redis.check(), "Redis to be available");
		await redis.client.flushall();
		store = balances(redis);
		await vouches(store);
	});
	afterEach(async () => {
		await Promise.all(opened.splice(0).map(connection => connection.close()));
	});
	after(() => server?.remove());

	const confirm = async (user_id: string, seq: number) => {
		const { generation } = await store.read([user_id]);
		await store.confirm([{ user_id, seq, total_cents: seq * 100 }], generation!);
	};
	const raise = (user_id: string, seq: number, offset = 0, partition = 0) =>
		store.raise([{ user_id, seq, total_cents: seq * 100 }], { partition, nextOffset: offset + 1 }).then(({ raised }) => raised);
	/** Handles a record as the consumer does: stores the total and the offset, then commits. */
	async function buy(user_id: string, seq: number, offset: number, partition = 0) {
		const [raised] = await raise(user_id, seq, offset, partition);
		if (!raised!.isConfirmed) await confirm(user_id, seq);
		committed[partition] = offset + 1;
	}
	const totalOf = async (user: string, from = store) => (await from.read([user])).totalsCents[0];
	const restart = async () => {
		await server.kill();
		server.start();
		await eventually(() => redis.check(), "Redis to come back");
	};

	it("stores the total in wallet:<user_id>, where redis-cli can read it", async () => {
		const user = randomUUID();
		await buy(user, 3, 0);
		assert.equal(await redis.client.hget(`wallet:${user}`, "total_cents"), "300");
		assert.equal(await redis.client.ttl(`wallet:${user}`), -1);
	});

	it("uses restored data that contains everything committed", async () => {
		const user = randomUUID();
		await buy(user, 1, 0);
		const { generation } = await store.read([]);
		await redis.client.save();
		await restart();
		await vouches(store);
		assert.equal(await totalOf(user), 100);
		assert.equal((await store.read([])).generation, generation);
	});

	it("does not use an older dump or return its totals, and accepts the newer totals again", async () => {
		const [ann, bob] = [randomUUID(), randomUUID()];
		await buy(ann, 1, 0);
		await buy(bob, 1, 1);
		await redis.client.save();
		await buy(ann, 2, 2);
		close();
		await restart();
		assert.equal(await redis.client.hget(`wallet:${ann}`, "total_cents"), "100", "the dump is older");
		for (const user of [ann, bob]) assert.equal(await totalOf(user), undefined);
		gate.resolve();
		await vouches(store);
		for (const user of [ann, bob]) assert.equal(await totalOf(user), undefined);

		await confirm(bob, 1);
		await redis.client.save();
		await restart();
		await vouches(store);
		assert.equal(await totalOf(bob), 100, "whole again");
		await buy(ann, 3, 3);
		assert.equal(await totalOf(ann), 300);
	});

	it("does not use a dump that lacks the commits of only one partition", async () => {
		const user = randomUUID();
		await buy(user, 1, 0, 0);
		await redis.client.save();
		await buy(randomUUID(), 1, 0, 1);
		await restart();
		await vouches(store);
		assert.equal(await totalOf(user), undefined);
	});

	it("uses nothing from an empty Redis, and everything written since", async () => {
		const user = randomUUID();
		await buy(user, 5, 0);
		await redis.client.flushall();
		assert.equal(await totalOf(user), undefined);
		await buy(user, 6, 1);
		await vouches(store);
		await buy(user, 7, 2);
		assert.equal(await totalOf(user), 700);
	});

	it("accepts totals before the check has run", async () => {
		const user = randomUUID();
		await buy(user, 1, 0);
		const connection = open();
		await eventually(() => connection.check(), "Redis to be available");
		const undecided = redisBalances(connection, () => new Promise(() => {}));
		await undecided.raise([{ user_id: user, seq: 2, total_cents: 200 }], { partition: 0, nextOffset: 2 });
		assert.deepEqual(await undecided.read([user]), { totalsCents: [undefined], generation: undefined });
		assert.equal(await totalOf(user), 200);
	});

	it("uses nothing while the committed offsets are unknown, and retries the check", async () => {
		let isLogUnavailable = true;
		const connection = open();
		const doubtful = redisBalances(connection, async () => {
			if (isLogUnavailable) throw new Error("no log");
			return committed;
		});
		await eventually(() => connection.check(), "Redis to be available");
		assert.equal((await doubtful.read([])).generation, undefined);
		isLogUnavailable = false;
		await vouches(doubtful);
	});

	it("does not confirm totals that were read before Redis lost data", async () => {
		const user = randomUUID();
		const { generation } = await store.read([user]);
		await redis.client.flushall();
		await vouches(store);
		await store.confirm([{ user_id: user, seq: 1, total_cents: 100 }], generation!);
		assert.equal(await totalOf(user), undefined);
		assert.equal(await redis.client.exists(`wallet:${user}`), 0);
	});

	it("does not return the total of an old record that is redelivered after a newer total was lost", async () => {
		const user = randomUUID();
		await buy(user, 5, 0);
		await redis.client.flushall();
		await raise(user, 4);
		await vouches(store);
		assert.deepEqual(await raise(user, 4), [{ before: 4, newest: { seq: 4, total_cents: 400 }, isConfirmed: false }]);
		assert.equal(await totalOf(user), undefined);
		await confirm(user, 5);
		assert.equal(await totalOf(user), 500);
	});

	it("never lowers a total, even an unconfirmed one", async () => {
		const user = randomUUID();
		await buy(user, 5, 0);
		await redis.client.del("wallets:generation");
		await vouches(store);
		assert.deepEqual(await raise(user, 4), [{ before: 5, newest: { seq: 5, total_cents: 500 }, isConfirmed: false }]);
		await confirm(user, 4);
		assert.equal(await redis.client.hget(`wallet:${user}`, "total_cents"), "500");
		assert.equal(await totalOf(user), undefined);
	});

	it("stays consistent when another node starts a new generation, and confirms in it", async () => {
		const user = randomUUID();
		await buy(user, 1, 0);
		const other = open();
		const doubting = redisBalances(other, async () => [1000, 1000]);
		await eventually(() => other.check(), "Redis to be available");
		await vouches(doubting);
		assert.equal(await totalOf(user), undefined);
		await confirm(user, 1);
		for (const one of [store, doubting]) assert.equal(await totalOf(user, one), 100);
	});

	it("starts one new generation, however many nodes check", async () => {
		const others = [balances(open()), balances(open()), balances(open())];
		await Promise.all(others.map(vouches));
		committed = [10, 10];
		const before = (await store.read([])).generation;
		close();
		await restart();
		await eventually(() => Promise.all(opened.map(connection => connection.check())), "all to be connected again");
		for (const one of [store, ...others]) await one.read([]);
		gate.resolve();
		await Promise.all([store, ...others].map(vouches));
		const after = await Promise.all([store, ...others].map(async one => (await one.read([])).generation));
		assert.equal(new Set(after).size, 1);
		assert.notEqual(after[0], before);
		// The command statistics of the server count since its start, and include commands in scripts.
		assert.match(await redis.client.info("commandstats"), /cmdstat_set:calls=1,/);
	});

	it("rejects with UNAVAILABLE, not with a command error, when Redis is out of memory", async () => {
		const user = randomUUID();
		await buy(user, 1, 0);
		await redis.client.config("SET", "maxmemory", "1");
		try {
			await assert.rejects(raise(user, 2), { type: "UNAVAILABLE" });
		} finally {
			await redis.client.config("SET", "maxmemory", "0");
		}
		await raise(user, 2);
		assert.equal(await totalOf(user), 200);
	});

	it("costs only one read its timeout when Redis hangs", async () => {
		server.signal("SIGSTOP");
		try {
			await assert.rejects(store.read([randomUUID()]), { type: "UNAVAILABLE" });
			for (let n = 0; n < 100; n++) assert.equal((await store.read([randomUUID()])).generation, undefined);
		} finally {
			server.signal("SIGCONT");
		}
		await vouches(store);
	});
});
