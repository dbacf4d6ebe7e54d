import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../test/client.ts";
import { isUnavailable } from "./errors.ts";
import { type RedisServer, redisServer } from "./redis.fixture.ts";
import { openRedis, type Redis } from "./redis.ts";

describe("a connection to Redis", () => {
	let server: RedisServer;
	let connection: Redis;
	let readies = 0;
	before(async () => {
		server = await redisServer();
		connection = openRedis(server.url);
		connection.onReconnect(() => readies++);
		await answers();
	});
	after(async () => {
		await connection?.close();
		await server?.remove();
	});
	const answers = () => eventually(() => connection.check(), "Redis to answer");

	it("rejects a command that gets no answer, and works again when Redis does", async () => {
		server.signal("SIGSTOP");
		await assert.rejects(connection.client.get("key"), (error: Error) => isUnavailable(error));
		server.signal("SIGCONT");
		await answers();
	});

	it("rejects running commands when Redis crashes, reconnects by itself, and reports both", async () => {
		const [losses, before] = [connection.losses, readies];
		server.signal("SIGSTOP");
		const running = assert.rejects(connection.client.incr("counter"), (error: Error) => isUnavailable(error));
		await server.kill();
		await running;
		assert.ok(connection.losses > losses);

		server.start();
		await answers();
		assert.equal(readies, before + 1);
		// Sent again after the reconnection, it would count although its caller got an error.
		assert.equal(await connection.client.get("counter"), null);
	});
});
