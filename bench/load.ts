// Closed-loop load: each client sends its next request as soon as the last one is answered.
import type { Round } from "./measure.ts";

/** Runs `clients` concurrent loops for `ms` and records each operation's latency. Rejects with the first failure. */
export async function closedLoop(clients: number, ms: number, ask: (client: number) => Promise<unknown>): Promise<Round> {
	const latenciesMs: number[] = [];
	const startMs = performance.now();
	const endMs = startMs + ms;
	const client = async (index: number) => {
		for (let nowMs = performance.now(); nowMs < endMs; ) {
			await ask(index);
			const answeredMs = performance.now();
			latenciesMs.push(answeredMs - nowMs);
			nowMs = answeredMs;
		}
	};
	await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
	return { operations: latenciesMs.length, elapsedMs: performance.now() - startMs, latenciesMs };
}
