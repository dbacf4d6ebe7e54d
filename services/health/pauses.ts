// How long this process does not run its code: the delay of its event loop, and the pauses of the garbage collector, as histograms.
import { constants, PerformanceObserver } from "node:perf_hooks";
import type { ServiceBroker } from "moleculer";

const DELAY = "process.eventloop.delay.seconds";
const GC = "process.gc.pause.seconds";
/** Each wake-up costs an idle process: 20 a second take a quarter of a percent of a core. Not a round number: no other timer should run with it. */
const SAMPLE_MS = 230;
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 2.5];
// Without quantiles, Moleculer's reporter omits the sum and the count.
const HISTOGRAM = { type: "histogram", buckets: BUCKETS_SECONDS, quantiles: [0.5, 0.99] } as const;

const GC_KINDS = new Map<unknown, string>([
	[constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
	[constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
	[constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
	[constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"]
]);

/**
 * Records both in `broker.metrics` until the returned function is called. A sample of the delay says how much later than planned a timer ran:
 * everything that arrived meanwhile has waited as long.
 */
export function recordPauses(broker: ServiceBroker): () => void {
	broker.metrics.register({ name: DELAY, description: "how late timers run, in seconds", ...HISTOGRAM } as never);
	broker.metrics.register({
		name: GC,
		description: "pauses of the garbage collector in seconds",
		labelNames: ["kind"],
		...HISTOGRAM
	} as never);

	let plannedMs = performance.now() + SAMPLE_MS;
	const timer = setInterval(() => {
		const nowMs = performance.now();
		broker.metrics.observe(DELAY, Math.max(0, nowMs - plannedMs) / 1_000);
		plannedMs = nowMs + SAMPLE_MS;
	}, SAMPLE_MS).unref();

	const observer = new PerformanceObserver(list => {
		// Node's types omit the detail.
		for (const { duration, detail } of list.getEntries() as unknown as { duration: number; detail: { kind: number } }[])
			broker.metrics.observe(GC, duration / 1_000, { kind: GC_KINDS.get(detail.kind) ?? "other" });
	});
	observer.observe({ entryTypes: ["gc"] });

	return () => {
		clearInterval(timer);
		observer.disconnect();
	};
}
