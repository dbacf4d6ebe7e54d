// The memory of this process and its connections, read when `/metrics` is requested. Moleculer's own process metrics are read by a timer, and an error
// there ends the process.
import type { ServiceBroker } from "moleculer";
import { addMetric } from "../../mixins/metrics.ts";
import type { Connections } from "../../runtime/http/connections.ts";

/** Moleculer's names, which dashboards know. */
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
