import assert from "node:assert/strict";
import { it } from "node:test";
import { ServiceBroker } from "moleculer";
import { addCheck } from "../../mixins/health.ts";
import { clusterHealth, nodeHealth } from "./health.checks.ts";

it("the public health page names no host, before and after the start; the node's own page does", async () => {
	const broker = new ServiceBroker({ logger: false });
	addCheck(broker, "topics:wallet", async () => "no assignment for 12 s (kafka-7.internal:9092 refuses)");
	addCheck(broker, "redis", () => Promise.reject(new Error("10.0.0.7 refuses")));
	const check = async () => {
		const { status, checks } = await clusterHealth(broker);
		assert.deepEqual([status, checks["topics:wallet"], checks.redis], ["down", "waiting", "unavailable"]);
		assert.doesNotMatch(JSON.stringify(checks), /internal|10\.0|9092/);
		assert.match((await nodeHealth(broker)).checks["topics:wallet"] ?? "", /kafka-7\.internal/);
	};
	await check();
	await broker.start();
	try {
		await check();
	} finally {
		await broker.stop();
	}
});
