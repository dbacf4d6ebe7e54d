/**
 * Figures of a broker that cost nothing until somebody reads them: who counts keeps plain numbers, and they are looked up when asked for.
 *
 *     let sent = 0;                                                        // counted where it happens, by ++
 *     addFigure(broker, { name: "shop.letters.sent", type: "counter", description: "letters that left", labelNames: ["to"] },
 *       () => [{ value: sent, labels: { to: "ann" } }]);
 *     await showFigures(broker);                                           // puts them all into broker.metrics
 *
 * Moleculer's own way, an increment for each event, costs as much as a small call does.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";

export interface Metric {
	/** Its unit last, if it has one: `outbox.age.seconds`. */
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

type Look = () => Reading[] | Promise<Reading[]>;

const LOOK_TIMEOUT_MS = 1_000;

interface Added {
	figure: Metric;
	look: Look;
	otherwise: Reading[];
}

const figures = new WeakMap<ServiceBroker, Added[]>();

/**
 * Adds a figure; several may add readings to one of the same name, under labels of their own. `otherwise`: what to show where the look fails or
 * takes longer than a second. Default: what was shown before.
 */
export function addMetric(broker: ServiceBroker, figure: Metric, look: Look, otherwise: Reading[] = []) {
	const known = figures.get(broker) ?? [];
	figures.set(broker, known);
	known.push({ figure, look, otherwise });
}

const bounded = async ({ look, otherwise }: Added): Promise<Reading[]> => {
	const timer = new AbortController();
	const tooLate = delay(LOOK_TIMEOUT_MS, otherwise, { signal: timer.signal, ref: false }).catch(() => otherwise);
	try {
		return await Promise.race([look(), tooLate]);
	} catch {
		return otherwise;
	} finally {
		timer.abort();
	}
};

/** Brings `broker.metrics` up to date. Never rejects, and takes a second at most. */
export async function updateMetrics(broker: ServiceBroker) {
	const read = async (added: Added) => {
		const { figure } = added;
		const readings = await bounded(added);
		// Registering it anew would forget what others have shown under its name.
		if (!broker.metrics.hasMetric(figure.name)) broker.metrics.register(figure as never);
		for (const { value, labels = {} } of readings) broker.metrics.set(figure.name, value, labels);
	};
	if (broker.metrics.isEnabled()) await Promise.all((figures.get(broker) ?? []).map(read));
}
