/**
 * Shares the answers of expensive work among callers, so that the work runs for a bounded part of the time only. A call during the work gets
 * that run's answer; after it, the answer is cached for as long as the work took, times `factor`. A failure is not cached: the next call runs the work again.
 */
export function adaptiveCache<Answer>(work: () => Promise<Answer>, factor = 9): () => Promise<Answer> {
	let cached: { answer: Promise<Answer>; untilMs: number } | undefined;
	return () => {
		if (cached && performance.now() < cached.untilMs) return cached.answer;
		const startMs = performance.now();
		const entry = { answer: work(), untilMs: Number.POSITIVE_INFINITY };
		cached = entry;
		const keep = () => {
			entry.untilMs = performance.now() + factor * (performance.now() - startMs);
		};
		const drop = () => {
			cached = undefined;
		};
		entry.answer.then(keep, drop);
		return entry.answer;
	};
}
