/**
 * Exponential backoff: the pauses between attempts double from the first to the longest.
 *
 *     const backoff = createBackoff({ firstMs: 100, longestMs: 5_000 });
 *     for (;;) {
 *       try { await connect(); backoff.reset(); return; }
 *       catch { await backoff.pause(signal); }                  // an abort ends the pause early
 *     }
 *     backoffMs(3, { firstMs: 100, longestMs: 5_000 });          // 800: without state, for the pause after the fourth failure
 */
import { setTimeout as delay } from "node:timers/promises";

export interface BackoffOptions {
	/** The pause after the first failure. */
	firstMs: number;
	/** No pause is longer. */
	longestMs: number;
}

/** The pause after failure number `failures`, counted from 0. */
export const backoffMs = (failures: number, { firstMs, longestMs }: BackoffOptions): number =>
	Math.min(firstMs * 2 ** failures, longestMs);

export interface Backoff {
	/** The length of the next pause; each call counts as a failure. */
	nextMs(): number;
	/** Waits for the next pause. Resolves early, and never rejects, when the signal aborts. Keeps the process alive meanwhile. */
	pause(signal?: AbortSignal): Promise<void>;
	/** After a success: the next pause is the first one again. */
	reset(): void;
}

export function createBackoff(options: BackoffOptions): Backoff {
	let failures = 0;
	const nextMs = () => backoffMs(failures++, options);
	return {
		nextMs,
		pause: signal => delay(nextMs(), undefined, { signal }).catch(() => {}),
		reset() {
			failures = 0;
		}
	};
}
