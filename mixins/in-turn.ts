/**
 * Runs the work of one client, such as reading long lists, one after the other. After long work follows a pause of the same length, in which the store and
 * the event loop serve other clients: a client that requests much at once delays only itself.
 *
 *     const inTurn = takeTurns("Postgres");
 *     const page = await inTurn(address, deadlineIn(4_500), () => store.list(request));
 */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { Deadline } from "./deadline.ts";
import { unavailable } from "./errors.ts";

/** Calls of one client that may wait. */
const MAX_WAITING = 1_000;
/** If the store is slow for all clients, a longer pause would only delay this client more. */
const MAX_PAUSE_MS = 100;
/** No pause after shorter work: it hardly delays other clients, and a client with many short calls should not be slowed down. */
const SHORT_MS = 10;

/**
 * Returns a function that runs `work` once the earlier work of the same key has ended. It rejects as the work does, and with 503 `UNAVAILABLE`, which names
 * `what`, when the deadline is over (work that has not begun by then never begins) or too many calls of the key wait.
 */
export function takeTurns(what: string) {
	/** By key, while it has calls. */
	const queues = new Map<string, { last: Promise<unknown>; calls: number }>();

	return async <T>(key: string, deadline: Deadline, work: () => Promise<T>): Promise<T> => {
		const queue = queues.get(key) ?? { last: Promise.resolve(), calls: 0 };
		if (queue.calls > MAX_WAITING) throw unavailable(what);
		queues.set(key, queue);
		queue.calls++;
		let begunAtMs = Number.POSITIVE_INFINITY;
		const begin = () => {
			if (deadline.isOver()) throw unavailable(what);
			begunAtMs = performance.now();
			return deadline.bound(work(), what);
		};
		const turn = queue.last.then(begin);
		queue.last = turn
			.catch(() => {})
			.then(async () => {
				const tookMs = performance.now() - begunAtMs;
				if (queue.calls > 1 && tookMs > SHORT_MS) await delay(Math.min(tookMs, MAX_PAUSE_MS));
				// Without it, a store in this process would run all work in one turn of the event loop.
				if (queue.calls > 1) await nextTurn();
				if (--queue.calls === 0) queues.delete(key);
			});
		return deadline.bound(turn, what);
	};
}
