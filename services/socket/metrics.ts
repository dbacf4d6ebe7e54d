// How many sockets this node has, and what was sent to them. Plain numbers: an increment of a Moleculer metric costs more than a frame.
import type { ServiceBroker } from "moleculer";
import { addMetric } from "../../mixins/metrics.ts";

const DESCRIPTIONS = {
	pushed: "frames and events sent to sockets with something new",
	conflated: "frames that a newer one replaced before a slow reader had room for them",
	slow: "sockets closed for not reading"
} as const;

/** Counts for all sockets of this node together. */
export interface SocketCounters {
	pushed(events?: number): void;
	conflated(): void;
	slow(): void;
	counts: Record<keyof typeof DESCRIPTIONS, number>;
}

export function socketCounters(): SocketCounters {
	const counts = { pushed: 0, conflated: 0, slow: 0 };
	return {
		counts,
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

/** `connected`: the number of open sockets by transport, which the metric's label calls `door`. */
export function exportMetrics(broker: ServiceBroker, { counts }: SocketCounters, connected: () => Record<string, number>) {
	for (const name of Object.keys(counts) as (keyof typeof counts)[])
		addMetric(broker, { name: `plaza.sockets.${name}`, type: "counter", description: DESCRIPTIONS[name] }, () => [
			{ value: counts[name] }
		]);
	addMetric(broker, { name: "plaza.sockets.connected", type: "gauge", description: "open sockets", labelNames: ["door"] }, () =>
		Object.entries(connected()).map(([door, value]) => ({ value, labels: { door } }))
	);
}
