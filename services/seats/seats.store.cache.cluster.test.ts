import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type RedisServer, redisServer } from "../../mixins/redis.fixture.ts";
import { openRedis, type Redis } from "../../mixins/redis.ts";
import { eventually } from "../../test/client.ts";
import { redisCache } from "./seats.store.cache.redis.ts";
import { cacheSuite } from "./seats.store.cache.suite.ts";

describe("the cache of statuses in Redis", () => {
	let server: RedisServer;
	let connection: Redis;
	before(async () => {
		server = await redisServer();
		connection = openRedis(server.url);
		await answers();
	});
	after(async () => {
		await connection?.close();
		await server?.remove();
	});
	const answers = () => eventually(() => connection.check(), "Redis to answer");

	cacheSuite(() => redisCache(connection));

	it("is shared by the nodes, and empty after FLUSHALL", async () => {
		const [showId, revision, other] = [randomUUID(), randomUUID(), openRedis(server.url)];
		await eventually(() => other.check(), "Redis to answer");
		redisCache(connection).set(showId, revision, "fhs");
		await eventually(
			async () => assert.equal(await redisCache(other).get(showId, revision), "fhs"),
			"the other node to see the statuses"
		);
		assert.ok((await connection.client.ttl(`seats:${showId}`)) > 0, "it is kept for ever");
		await connection.client.flushall();
		assert.equal(await redisCache(other).get(showId, revision), undefined);
		await other.close();
	});

	it("is empty while Redis is unavailable, and works again when Redis does", async () => {
		const [showId, revision, cache] = [randomUUID(), randomUUID(), redisCache(connection)];
		await server.kill();
		cache.set(showId, revision, "fhs");
		assert.equal(await cache.get(showId, revision), undefined);
		server.start();
		await answers();
		assert.equal(await cache.get(showId, revision), undefined);
		cache.set(showId, revision, "fhs");
		assert.equal(await cache.get(showId, revision), "fhs");
	});
});
