// Single operations that return their latency: one after another, or at a fixed rate.
import { setTimeout as delay } from "node:timers/promises";

/** Without `perSecond` each operation starts after the previous one. Returns the latencies once all are done. */
export async function hops(ms: number, perSecond: number | undefined, hop: (n: number) => Promise<number>): Promise<number[]> {
	const startMs = performance.now();
	const latenciesMs: number[] = [];
	const isOver = () => performance.now() - startMs >= ms;
	if (perSecond === undefined) {
		for (let n = 0; !isOver(); n++) latenciesMs.push(await hop(n));
		return latenciesMs;
	}
	const inFlight: Promise<unknown>[] = [];
	for (let n = 0; !isOver(); n++) {
		inFlight.push(hop(n).then(latencyMs => latenciesMs.push(latencyMs)));
		await delay(Math.max(0, startMs + ((n + 1) * 1_000) / perSecond - performance.now()));
	}
	await Promise.all(inFlight);
	return latenciesMs;
}
