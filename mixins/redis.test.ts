import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { freePorts } from "../test/process.ts";
import { isUnavailable } from "./errors.ts";
import { checksOf } from "./health.ts";
import { openRedis, redis } from "./redis.ts";

const unusedAddress = async () => `redis://127.0.0.1:${(await freePorts(1))[0]}`;

describe("an unavailable Redis", () => {
	it("is not connected to before its first use", async t => {
		let connections = 0;
		const server = createServer(socket => {
			connections++;
			socket.destroy();
		}).listen(0, "127.0.0.1");
		await once(server, "listening");
		t.after(() => server.close());
		const connection = openRedis(`redis://127.0.0.1:${(server.address() as { port: number }).port}`);
		await new Promise(setImmediate);
		assert.equal(connections, 0);
		await assert.rejects(connection.check());
		assert.ok(connections > 0);
		await connection.close();
	});

	it("rejects commands as unavailable, and does not queue them", async () => {
		const connection = openRedis(await unusedAddress());
		for (const command of [
			() => connection.client.get("key"),
			() => connection.check(),
			() => connection.client.set("key", "value")
		])
			await assert.rejects(command(), (error: Error) => isUnavailable(error));
		await connection.close();
	});

	it("rejects commands at once while the server is not ready yet", async t => {
		const sockets: Socket[] = [];
		const silent = createServer(socket => sockets.push(socket)).listen(0, "127.0.0.1");
		await once(silent, "listening");
		t.after(() => {
			for (const socket of sockets) socket.destroy();
			silent.close();
		});
		const connection = openRedis(`redis://127.0.0.1:${(silent.address() as { port: number }).port}`);
		const checked = connection.check().catch(() => {});
		await once(silent, "connection");
		await assert.rejects(
			connection.client.get("key"),
			(error: Error) => isUnavailable(error) && !error.message.includes("timed out")
		);
		await connection.close();
		await checked;
	});

	it("is named without its credentials", () => {
		assert.equal(openRedis("redis://user:hunter2@cache:6379/3").where, "cache:6379");
	});

	it("delays the start of a service that requires it, and of no other", async () => {
		const connection = openRedis(await unusedAddress());
		const broker = new ServiceBroker({ logger: false });
		broker.createService({ name: "needs", mixins: [redis(connection)] });
		broker.createService({ name: "optional", mixins: [redis(connection, { required: false })] });
		const started = broker.start();
		await broker.waitForServices("optional", 10_000, 10);
		assert.equal((broker.registry as unknown as { hasService(name: string): boolean }).hasService("needs"), false);
		assert.deepEqual(await checksOf(broker), { redis: "unavailable" });
		await broker.stop();
		await started;
	});
});
