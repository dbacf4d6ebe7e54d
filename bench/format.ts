// Statistics over rounds: medians, percentiles and confidence intervals.

/** The percentile of values in any order; 0 < share < 1. NaN for an empty list. */
export function percentile(values: number[], share: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** n choose k. */
const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);

/**
 * The narrowest pair of order statistics that holds the true median with at least so much confidence: k-th smallest to k-th largest, by the
 * binomial distribution (the sign test turned round). With fewer than six values nothing reaches 95 %, and it is the whole range.
 */
export function intervalOf(values: number[], confidence = 0.95): [number, number] {
	const sorted = values.toSorted((a, b) => a - b);
	const n = sorted.length;
	let [k, tail] = [0, 0];
	// The chance that the median lies below the (k + 1)-th smallest value, on one side.
	while (k + 1 <= n >> 1 && 1 - 2 * (tail + choose(n, k) / 2 ** n) >= confidence) tail += choose(n, k++) / 2 ** n;
	const from = Math.max(0, k - 1);
	return [sorted[from] ?? Number.NaN, sorted[n - 1 - from] ?? Number.NaN];
}
