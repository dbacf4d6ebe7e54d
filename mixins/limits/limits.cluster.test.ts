import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/client.ts";
import { type RedisServer, redisServer } from "../redis.fixture.ts";
import { openRedis, type Redis } from "../redis.ts";
import { redisLimits } from "./limits.redis.ts";
import { limitsSuite, slow, takeMany } from "./limits.suite.ts";
import { rateOf } from "./limits.ts";

/** On a busy machine Redis may be slow, and these tests are about what it says. */
const PATIENT = { patienceMs: 900 };

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
	const answers = () => eventually(() => Promise.all([one.check(), other.check()]), "Redis to answer");

	limitsSuite("limits of all nodes", () => redisLimits(one, PATIENT));

	it("are shared by nodes", async () => {
		const key = randomUUID();
		const taken = await Promise.all([one, other].map(redis => takeMany(redisLimits(redis, PATIENT), key, slow(10), 100)));
		assert.equal(
			taken.reduce((sum, n) => sum + n),
			10
		);
	});

	it("share a high rate too, but for what either has leased", async () => {
		const [key, rate] = [randomUUID(), { perSecond: 1_000, burst: 2_000 }];
		const start = performance.now();
		const taken = await Promise.all([one, other].map(redis => takeMany(redisLimits(redis, PATIENT), key, rate, 10_000)));
		const total = taken.reduce((sum, n) => sum + n);
		const givenBack = performance.now() - start;
		assert.ok(total >= 2_000 - 2 * 100 && total <= 2_000 + givenBack + 1, `${total} in ${givenBack} ms`);
	});

	it("ask Redis seldom at a high rate", async () => {
		const questions = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await one.client.info("commandstats"))?.[1] ?? 0);
		const [limits, key, before] = [redisLimits(one, PATIENT), randomUUID(), await questions()];
		for (let n = 0; n < 5_000; n++) await limits.take(key, rateOf(1_000));
		// 1, 2, 4 … and then a hundred at a time; a second that goes by in between starts anew.
		assert.ok((await questions()) - before < 250, `${(await questions()) - before} questions`);
	});

	it("keep nothing in Redis of keys that have been quiet", async () => {
		const key = randomUUID();
		await redisLimits(one, PATIENT).take(key, { perSecond: 10, burst: 1 });
		await eventually(async () => assert.equal(await one.client.exists(`limit:${key}`), 0), "the key to be forgotten");
	});

	it("are each node's own while Redis is away or silent, and shared again afterwards", async () => {
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
		const shared = [one, other].map(redis => redisLimits(redis, PATIENT));
		assert.equal(await taken(shared, later), 10);
	});
});
