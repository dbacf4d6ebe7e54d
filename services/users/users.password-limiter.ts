// Hashing a password is slow by design: this limits how many run concurrently, how many wait, and how long they wait.
import { availableParallelism } from "node:os";
import { unavailable } from "../../mixins/errors.ts";

export interface PasswordLimiterOptions {
	/** Hashes that run at the same time. */
	concurrency: number;
	/** Callers in the queue; further ones are rejected. */
	maxWaiting: number;
	/** A caller that waits longer is rejected, so that nothing is computed for a request that has timed out. */
	maxWaitMs: number;
}

/** Node's thread pool has four threads: one stays free for files and DNS. More threads than cores would be slower. */
const DEFAULTS: PasswordLimiterOptions = {
	concurrency: Math.min(3, availableParallelism()),
	maxWaiting: 1_000,
	maxWaitMs: 4_000
};

/** Runs work in the order of the calls. Rejects with 503 `UNAVAILABLE` when the queue is full or the wait is too long. */
export function passwordLimiter({ concurrency: maxUnderWay, maxWaiting, maxWaitMs }: PasswordLimiterOptions = DEFAULTS) {
	let running = 0;
	const waiting = new Set<() => void>();

	const waitForSlot = () =>
		new Promise<void>((resolve, reject) => {
			const go = () => {
				clearTimeout(timer);
				waiting.delete(go);
				resolve();
			};
			const timer = setTimeout(() => {
				waiting.delete(go);
				reject(unavailable("signing in"));
			}, maxWaitMs);
			waiting.add(go);
		});

	return async <T>(work: () => Promise<T>): Promise<T> => {
		if (running < maxUnderWay) running++;
		else if (waiting.size >= maxWaiting) throw unavailable("signing in");
		else await waitForSlot();
		try {
			return await work();
		} finally {
			// The slot goes to the next caller in the queue, or becomes free.
			const [next] = waiting;
			if (next) next();
			else running--;
		}
	};
}
