/**
 * Metrics that are read only on demand: code counts in plain numbers, and `updateMetrics` copies them into Moleculer's registry before a scrape.
 *
 *     let sent = 0;                                                        // counted where it happens, by ++
 *     addMetric(broker, { name: "shop.letters.sent", type: "counter", description: "letters sent", labelNames: ["to"] },
 *       () => [{ value: sent, labels: { to: "ann" } }]);
 *     await updateMetrics(broker);                                         // copies all of them into broker.metrics
 *
 * Moleculer's own way, one call of `increment` for each event, costs as much as a small action call.
 */
import type { ServiceBroker } from "moleculer";
import { withTimeout } from "./deadline.ts";

export interface Metric {
	/** Ends in its unit, if it has one: `outbox.age.seconds`. */
	name: string;
	/** A counter only grows, for as long as the process lives. */
	type: "counter" | "gauge";
	description: string;
	labelNames?: string[];
}

export interface Reading {
	value: number;
	labels?: Record<string, string>;
}

type Read = () => Reading[] | Promise<Reading[]>;

interface Registered {
	metric: Metric;
	read: Read;
	fallback: Reading[];
}

const READ_TIMEOUT_MS = 1_000;

const metrics = new WeakMap<ServiceBroker, Registered[]>();

/** The name of a metric under a prefix: `metricName("shop", "topics.lag")` is `shop.topics.lag`; without a prefix the name stays. */
export const metricName = (prefix: string | undefined, name: string) => (prefix ? `${prefix}.${name}` : name);

/**
 * Adds a metric. Several calls may add readings to one name, each under its own labels. `fallback`: the readings to use when `read` fails or
 * takes longer than a second; by default the last ones stay.
 */
export function addMetric(broker: ServiceBroker, metric: Metric, read: Read, fallback: Reading[] = []) {
	const known = metrics.get(broker) ?? [];
	metrics.set(broker, known);
	known.push({ metric, read, fallback });
}

const readingsOf = ({ read, fallback }: Registered): Promise<Reading[]> =>
	withTimeout(
		Promise.resolve()
			.then(read)
			.catch(() => fallback),
		READ_TIMEOUT_MS,
		() => fallback
	);

/** Copies all metrics into `broker.metrics`. Never rejects, and takes about a second at most. */
export async function updateMetrics(broker: ServiceBroker) {
	const update = async (registered: Registered) => {
		const { metric } = registered;
		const readings = await readingsOf(registered);
		// Registering a name twice would drop the readings that others have set under it.
		if (!broker.metrics.hasMetric(metric.name)) broker.metrics.register(metric as never);
		for (const { value, labels = {} } of readings) broker.metrics.set(metric.name, value, labels);
	};
	if (broker.metrics.isEnabled()) await Promise.all((metrics.get(broker) ?? []).map(update));
}
