// Single operations that tell their own latency: one after another, or so many a second.
import { setTimeout as delay } from "node:timers/promises";

/** Without `perSecond`: each once the one before it is done. Answers the latencies, once all are done. */
export async function hops(ms: number, perSecond: number | undefined, hop: (n: number) => Promise<number>): Promise<number[]> {
	const startMs = performance.now();
	const latenciesMs: number[] = [];
	const isOver = () => performance.now() - startMs >= ms;
	if (perSecond === undefined) {
		for (let n = 0; !isOver(); n++) latenciesMs.push(await hop(n));
		return latenciesMs;
	}
	const underWay: Promise<unknown>[] = [];
	for (let n = 0; !isOver(); n++) {
		underWay.push(hop(n).then(latencyMs => latenciesMs.push(latencyMs)));
		await delay(Math.max(0, startMs + ((n + 1) * 1_000) / perSecond - performance.now()));
	}
	await Promise.all(underWay);
	return latenciesMs;
}
