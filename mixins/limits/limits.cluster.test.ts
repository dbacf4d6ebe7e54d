import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { type RedisServer, redisServer } from "../redis.fixture.ts";
import { openRedis, type Redis } from "../redis.ts";
import { redisLimits } from "./limits.redis.ts";
import { limitsSuite, slow, takeMany } from "./limits.suite.ts";
import { rateOf } from "./limits.ts";

/** Redis may be slow on a busy machine, and these tests are about its answers. */
const SLOW = { timeoutMs: 900 };

describe("limits in Redis", () => {
	let server: RedisServer;
	let one: Redis;
	let other: Redis;
	before(async () => {
		server = await redisServer();
		[one, other] = [openRedis(server.url), openRedis(server.url)];
		await answers();
	});
	after(async () => {
		await one?.close();
		await other?.close();
		await server?.remove();
	});
	/** How many leases Redis was asked for. */
	const questions = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await one.client.info("commandstats"))?.[1] ?? 0);
	const answers = () => eventually(() => Promise.all([one.check(), other.check()]), "Redis to answer");

	limitsSuite("limits of all nodes", () => redisLimits(one, SLOW));

	it("are shared by nodes", async () => {
		const key = randomUUID();
		const taken = await Promise.all([one, other].map(redis => takeMany(redisLimits(redis, SLOW), key, slow(10), 100)));
		assert.equal(
			taken.reduce((sum, n) => sum + n),
			10
		);
	});

	it("are shared at a high rate too, except for the tokens that either has leased", async () => {
		const [key, rate] = [randomUUID(), { perSecond: 1_000, burst: 2_000 }];
		const start = performance.now();
		const taken = await Promise.all([one, other].map(redis => takeMany(redisLimits(redis, SLOW), key, rate, 10_000)));
		const total = taken.reduce((sum, n) => sum + n);
		const givenBack = performance.now() - start;
		assert.ok(total >= 2_000 - 2 * 100 && total <= 2_000 + givenBack + 1, `${total} in ${givenBack} ms`);
	});

	it("call Redis rarely at a high rate", async () => {
		const [limits, key, before] = [redisLimits(one, SLOW), randomUUID(), await questions()];
		for (let n = 0; n < 5_000; n++) await limits.take(key, rateOf(1_000));
		// 1, 2, 4 … and then a hundred at a time; after a pause of a second it starts again.
		assert.ok((await questions()) - before < 250, `${(await questions()) - before} questions`);
	});

	it("do not call Redis while a node is alone, and are shared as soon as it is not", async () => {
		let isAlone = true;
		const [limits, key, before] = [redisLimits(one, { ...SLOW, isAlone: () => isAlone }), randomUUID(), await questions()];
		assert.equal(await takeMany(limits, key, slow(10), 50), 10);
		assert.equal(await questions(), before);
		isAlone = false;
		const taken = await Promise.all([limits, redisLimits(other, SLOW)].map(each => takeMany(each, key, slow(10), 50)));
		assert.equal(
			taken.reduce((sum, n) => sum + n),
			10
		);
	});

	it("keep nothing in Redis of unused keys", async () => {
		const key = randomUUID();
		await redisLimits(one, SLOW).take(key, { perSecond: 10, burst: 1 });
		await eventually(async () => assert.equal(await one.client.exists(`limit:${key}`), 0), "the key to be forgotten");
	});

	it("are counted by each node alone while Redis is unavailable or silent, and shared again afterwards", async () => {
		const nodes = () => [one, other].map(redis => redisLimits(redis));
		const [key, later] = [randomUUID(), randomUUID()];
		const taken = async (limits: ReturnType<typeof nodes>, of: string) =>
			(await Promise.all(limits.map(each => takeMany(each, of, slow(10), 50)))).reduce((sum, n) => sum + n);

		server.signal("SIGSTOP");
		assert.equal(await taken(nodes(), randomUUID()), 20);
		server.signal("SIGCONT");
		await server.kill();
		assert.equal(await taken(nodes(), key), 20);
		server.start();
		await answers();
		const shared = [one, other].map(redis => redisLimits(redis, SLOW));
		assert.equal(await taken(shared, later), 10);
	});
});
