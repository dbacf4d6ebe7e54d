// Passwords take time on purpose: so many at once, and whoever has waited too long is told to come again.
import { availableParallelism } from "node:os";
import { unavailable } from "../../mixins/errors.ts";

export interface PasswordLimiterOptions {
	/** At most so many at once. */
	concurrency: number;
	/** At most so many in line. */
	maxWaiting: number;
	/** Whoever has not had their turn by then is not waited for any more, so no work is done for them. */
	maxWaitMs: number;
}

/** Of the four threads that Node has for such work, so that files and names are still read while many sign in; more than there are cores is slower. */
const DEFAULTS: PasswordLimiterOptions = {
	concurrency: Math.min(3, availableParallelism()),
	maxWaiting: 1_000,
	maxWaitMs: 4_000
};

/** First come, first served. Rejects with 503 `UNAVAILABLE` where there are too many, or it takes too long. */
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
			// The place goes to the next in line, or is free.
			const [next] = waiting;
			if (next) next();
			else running--;
		}
	};
}
