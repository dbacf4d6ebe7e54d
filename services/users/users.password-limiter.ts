// Hashing a password is slow by design. This limits how many hashes run concurrently, how many wait and for how long. Client addresses take turns, so that
// an address with many requests delays another address by one hash at most.
import { availableParallelism } from "node:os";
import { tooMany, unavailable } from "../../mixins/errors.ts";

export interface PasswordLimiterOptions {
	/** Hashes that run at the same time; for one address at most one. */
	concurrency: number;
	/** Callers of one address in the queue; further ones are rejected. */
	maxWaitingPerAddress: number;
	/** Callers in the queue; further ones are rejected. */
	maxWaiting: number;
	/** A caller that waits longer is rejected, so that nothing is computed for a request that has timed out. */
	maxWaitMs: number;
}

/** Node's thread pool has four threads: one stays free for files and DNS. More threads than cores would be slower. */
const DEFAULTS: PasswordLimiterOptions = {
	concurrency: Math.min(3, availableParallelism()),
	maxWaitingPerAddress: 16,
	maxWaiting: 1_000,
	maxWaitMs: 4_000
};
/** After this time the queue of an address is usually empty again. */
const RETRY_AFTER_MS = 1_000;

/** The callers of one address. */
interface Queue {
	isRunning: boolean;
	/** Each function starts one caller; in the order of the calls. */
	waiting: Set<() => void>;
}

/**
 * Runs work for an address. The work of one address runs in the order of the calls, and the addresses take turns. Rejects with 429 `TOO_MANY_REQUESTS` when
 * too many callers of the address wait, and with 503 `UNAVAILABLE` when too many callers wait in total or the wait is too long.
 */
export function passwordLimiter(options: PasswordLimiterOptions = DEFAULTS) {
	const { concurrency, maxWaitingPerAddress, maxWaiting, maxWaitMs } = options;
	/** Of the addresses that have callers. */
	const queues = new Map<string, Queue>();
	/** The queues whose next caller may start, in the order in which they do. */
	const turns = new Set<Queue>();
	let running = 0;
	let waiting = 0;

	const startNext = () => {
		for (const queue of turns) {
			if (running === concurrency) return;
			turns.delete(queue);
			running++;
			queue.isRunning = true;
			const [start] = queue.waiting;
			start!();
		}
	};

	const removeIfUnused = (address: string, queue: Queue) => {
		if (queue.waiting.size > 0) return;
		turns.delete(queue);
		if (!queue.isRunning) queues.delete(address);
	};

	const waitForTurn = (address: string) =>
		new Promise<void>((resolve, reject) => {
			const queue = queues.get(address) ?? { isRunning: false, waiting: new Set() };
			if (queue.waiting.size >= maxWaitingPerAddress)
				throw tooMany("Too many sign-ins at once from this address, slow down", RETRY_AFTER_MS);
			if (waiting >= maxWaiting) throw unavailable("signing in");
			const leave = () => {
				clearTimeout(timer);
				queue.waiting.delete(start);
				waiting--;
			};
			const start = () => {
				leave();
				resolve();
			};
			const timer = setTimeout(() => {
				leave();
				removeIfUnused(address, queue);
				reject(unavailable("signing in"));
			}, maxWaitMs);
			queues.set(address, queue);
			queue.waiting.add(start);
			waiting++;
			if (!queue.isRunning) turns.add(queue);
			startNext();
		});

	return async <T>(address: string, work: () => Promise<T>): Promise<T> => {
		await waitForTurn(address);
		try {
			return await work();
		} finally {
			const queue = queues.get(address)!;
			running--;
			queue.isRunning = false;
			if (queue.waiting.size > 0) turns.add(queue);
			removeIfUnused(address, queue);
			startNext();
		}
	};
}
