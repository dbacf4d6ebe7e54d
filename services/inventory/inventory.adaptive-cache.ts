/**
 * A work that may take long and that many ask for, done for a share of the time only: for as long as it took, times `pauses`, who asks is told the
 * last answer, and who asks while it is being done shares the next. What fails is tried again by whoever asks next.
 */
export function adaptiveCache<Answer>(work: () => Promise<Answer>, pauses = 9): () => Promise<Answer> {
	let last: { answer: Promise<Answer>; untilMs: number } | undefined;
	return () => {
		if (last && performance.now() < last.untilMs) return last.answer;
		const startMs = performance.now();
		const doing = { answer: work(), untilMs: Number.POSITIVE_INFINITY };
		last = doing;
		const over = () => {
			doing.untilMs = performance.now() + pauses * (performance.now() - startMs);
		};
		const failed = () => {
			last = undefined;
		};
		doing.answer.then(over, failed);
		return doing.answer;
	};
}
