import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import { eventually } from "../test/client.ts";
import { loneGateway } from "./lone-gateway.ts";
import { nodeMetadata, nodesRunning } from "./node-metadata.ts";

test("a gateway is alone once it has seen no other for five seconds", async () => {
	let nowMs = 0;
	const { isAlone, middleware } = loneGateway(() => nowMs);
	/** Nodes in this process, which find each other as nodes with a server do. */
	const node = (nodeID: string, services: string[], middlewares: (typeof middleware)[] = []) =>
		new ServiceBroker({ logger: false, transporter: "Fake", nodeID, metadata: nodeMetadata(services), middlewares });
	const [gateway, other] = [node("gateway", ["api"], [middleware]), node("other", ["api"])];
	const worker = node("worker", ["wallet"]);
	const sees = (gateways: number) =>
		eventually(async () => assert.equal(nodesRunning(gateway, "api").length, gateways), `${gateways} gateways to be seen`);
	try {
		nowMs = 60_000;
		assert.equal(isAlone(), false, "before the start");
		await Promise.all([gateway.start(), worker.start()]);
		nowMs += 4_999;
		assert.equal(isAlone(), false, "just started");
		nowMs += 1;
		assert.equal(isAlone(), true);
		await other.start();
		await sees(2);
		nowMs += 60_000;
		assert.equal(isAlone(), false, "beside another gateway");
		await other.stop();
		await sees(1);
		assert.equal(isAlone(), false, "the other has just stopped");
		nowMs += 5_000;
		assert.equal(isAlone(), true);
	} finally {
		await Promise.all([gateway, other, worker].map(one => one.stop()));
	}
});
