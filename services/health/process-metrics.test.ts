import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import { updateMetrics } from "../../mixins/metrics.ts";
import moleculerConfig from "../../moleculer.config.ts";
import { createConnections } from "../../runtime/http/connections.ts";
import { exportProcessMetrics } from "./process-metrics.ts";

test("a process that has no file descriptor left to read its memory keeps running, and shows the last values", async t => {
	t.mock.timers.enable({ apis: ["setInterval"] });
	const broker = new ServiceBroker({ logger: false, metrics: { ...moleculerConfig.metrics, reporter: false as never } });
	const connections = createConnections({ maxPerAddress: 1, maxTotal: 10, isTrusted: () => false });
	exportProcessMetrics(broker, connections);
	const readingOf = (name: string, labels = {}) =>
		(broker.metrics.getMetric(name) as unknown as { get(labels: object): { value: number } }).get(labels).value;
	await updateMetrics(broker);
	const rss = readingOf("process.memory.rss");
	assert.ok(rss > 1024 * 1024, `${rss} bytes`);

	t.mock.method(process, "memoryUsage", () => {
		throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
	});
	t.mock.timers.tick(60_000);
	connections.acquire("192.0.2.1");
	connections.acquire("192.0.2.1");
	await updateMetrics(broker);
	assert.equal(readingOf("process.memory.rss"), rss);
	assert.equal(readingOf("plaza.connections.refused", { limit: "address" }), 1);
	assert.equal(readingOf("plaza.connections.open"), 0);
	await broker.stop();
});
