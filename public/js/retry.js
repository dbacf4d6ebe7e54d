// Which failures are final, and when to retry the others.

/** A final answer: the same request would be refused again. `fieldErrors` lists the invalid fields. */
export class Refused extends Error {
	/**
	 * @param {string} message
	 * @param {{ field?: string, message: string }[]} fieldErrors
	 * @param {string} [type] the server's error type
	 * @param {object} [data] the error's `data`
	 */
	constructor(message, fieldErrors = [], type, data) {
		super(message);
		this.fieldErrors = fieldErrors;
		this.type = type;
		this.data = data;
	}
}

/** A temporary failure: the same request may succeed later, but not before `retryAfterMs` if the server gave one. */
export class Unavailable extends Error {
	/**
	 * @param {string} message
	 * @param {number} [retryAfterMs]
	 * @param {string} [type] the server's error type
	 */
	constructor(message, retryAfterMs, type) {
		super(message);
		this.retryAfterMs = retryAfterMs;
		this.type = type;
	}
}

/** Error types that a retry cannot solve; all others may be temporary. */
export const FINAL = new Set(["VALIDATION_ERROR", "CONFLICT", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"]);

const SHORTEST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * Exponential backoff with "equal jitter": half of the wait is random, so that pages that lost the server at the same time do not
 * reconnect at the same time. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * @param {number} failures how many attempts have failed before this one
 */
export function backoffMs(failures) {
	const ceilingMs = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** failures);
	return (ceilingMs / 2) * (1 + Math.random());
}

/** The wait that the server asked for plus a random part. */
export const spreadMs = retryAfterMs => retryAfterMs + Math.random() * SHORTEST_MS;

/**
 * Retries `task` until it succeeds. Rejects with any error other than `Unavailable`, and with the abort reason once `signal` is aborted.
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
