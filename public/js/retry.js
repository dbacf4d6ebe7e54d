// When to try again, and when not to.

/** The last word: the same request again would be refused again. `faults` lists what is wrong with which field. */
export class Refused extends Error {
	/**
	 * @param {string} message
	 * @param {{ field?: string, message: string }[]} faults
	 * @param {string} [type] as the server calls it
	 * @param {object} [data] what else it says of it
	 */
	constructor(message, faults = [], type, data) {
		super(message);
		this.faults = faults;
		this.type = type;
		this.data = data;
	}
}

/** Not now: the same request may succeed later, and not before `retryAfterMs` if the server said so. */
export class Unavailable extends Error {
	/**
	 * @param {string} message
	 * @param {number} [retryAfterMs]
	 * @param {string} [type] as the server calls it
	 */
	constructor(message, retryAfterMs, type) {
		super(message);
		this.retryAfterMs = retryAfterMs;
		this.type = type;
	}
}

/** Types of errors that trying again cannot mend. Anything else may pass. */
export const FINAL = new Set(["VALIDATION_ERROR", "CONFLICT", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"]);

const SHORTEST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * Exponential backoff with "equal jitter": half of the wait is random, so that the pages which lost a server together do not all
 * come back together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * @param {number} failures how many attempts have failed before this one
 */
export function backoffMs(failures) {
	const ceilingMs = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** failures);
	return (ceilingMs / 2) * (1 + Math.random());
}

/** A wait that the server has asked for, never shorter, and a little longer for some than for others. */
export const spreadMs = retryAfterMs => retryAfterMs + Math.random() * SHORTEST_MS;

/**
 * Runs `task` until it answers. Rejects with whatever is not `Unavailable`, and with the abort reason once `signal` is aborted.
 * @template Answer
 * @param {() => Promise<Answer>} task
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export async function untilAnswered(task, signal) {
	for (let failures = 0; ; failures++) {
		try {
			const answer = await task();
			signal?.throwIfAborted();
			return answer;
		} catch (error) {
			signal?.throwIfAborted();
			if (!(error instanceof Unavailable)) throw error;
			const pauseMs = error.retryAfterMs === undefined ? backoffMs(failures) : spreadMs(error.retryAfterMs);
			await new Promise(resolve => setTimeout(resolve, pauseMs));
			signal?.throwIfAborted();
		}
	}
}
