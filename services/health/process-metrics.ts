// The memory and the connections of this process, read when `/metrics` is requested. Moleculer reads its own process metrics by a timer, and an error in
// it ends the process.
import type { ServiceBroker } from "moleculer";
import { addMetric } from "../../mixins/metrics.ts";
import type { Connections } from "../../runtime/http/connections.ts";

/** The names that Moleculer gives these metrics, for existing dashboards. */
const MEMORY = {
	"process.memory.rss": ["rss", "resident set size in bytes"],
	"process.memory.heap.size.total": ["heapTotal", "size of the heap in bytes"],
	"process.memory.heap.size.used": ["heapUsed", "used bytes of the heap"],
	"process.memory.external": ["external", "bytes outside of the heap"]
} as const;

export function exportProcessMetrics(broker: ServiceBroker, connections: Connections) {
	for (const [name, [field, description]] of Object.entries(MEMORY))
		addMetric(broker, { name, type: "gauge", description }, () => [{ value: process.memoryUsage()[field] }]);
	addMetric(broker, { name: "process.uptime", type: "gauge", description: "seconds since the start of the process" }, () => [
		{ value: process.uptime() }
	]);
	addMetric(broker, { name: "plaza.connections.open", type: "gauge", description: "open connections of clients" }, () => [
		{ value: connections.size() }
	]);
	const refused = { name: "plaza.connections.refused", type: "counter", description: "refused connections" } as const;
	addMetric(broker, { ...refused, labelNames: ["limit"] }, () =>
		Object.entries(connections.refused).map(([limit, value]) => ({ value, labels: { limit } }))
	);
}
