import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import options from "../moleculer.config.ts";
import { config } from "./config.ts";
import { availableNodes, nodesRunning } from "./node-metadata.ts";

test("a node with Plaza's broker options is found by each service that it runs, and by no other", async () => {
	const { nodeID, metadata } = options;
	const broker = new ServiceBroker({ logger: false, nodeID, metadata });
	await broker.start();
	try {
		assert.ok(config.services.includes("socket"));
		for (const service of config.services) assert.deepEqual(nodesRunning(broker, service), [nodeID]);
		assert.deepEqual(nodesRunning(broker, "unknown"), []);
	} finally {
		await broker.stop();
	}
});

test("a node without metadata runs no service", async () => {
	const broker = new ServiceBroker({ logger: false, nodeID: "repl" });
	await broker.start();
	try {
		assert.deepEqual(availableNodes(broker), [{ id: "repl", runsServices: [] }]);
	} finally {
		await broker.stop();
	}
});
