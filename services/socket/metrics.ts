// How many sockets this node holds, and what was sent to them. Plain numbers: a frame costs less than an increment among Moleculer's metrics does.
import type { ServiceBroker } from "moleculer";
import { addMetric } from "../../mixins/metrics.ts";
import type { ClientFigures } from "./ws/client.ts";

const COUNTERS = {
	pushed: "frames and events that told a socket something new",
	conflated: "frames that a newer one replaced before a slow reader had room for them",
	slow: "sockets closed for not reading"
} as const;

/** `connected`: the open sockets, by the door they came in by. */
export function socketFigures(broker: ServiceBroker, connected: () => Record<string, number>): ClientFigures {
	const counts = { pushed: 0, conflated: 0, slow: 0 };
	for (const figure of Object.keys(counts) as (keyof typeof counts)[])
		addMetric(broker, { name: `plaza.sockets.${figure}`, type: "counter", description: COUNTERS[figure] }, () => [
			{ value: counts[figure] }
		]);
	addMetric(broker, { name: "plaza.sockets.connected", type: "gauge", description: "open sockets", labelNames: ["door"] }, () =>
		Object.entries(connected()).map(([door, value]) => ({ value, labels: { door } }))
	);
	return {
		pushed(events = 1) {
			counts.pushed += events;
		},
		conflated() {
			counts.conflated++;
		},
		slow() {
			counts.slow++;
		}
	};
}
