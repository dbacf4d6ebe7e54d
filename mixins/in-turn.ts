/**
 * Work of one client, such as a long list, runs one after the other: many clients share the store, and one that asks for much at once waits only for itself.
 *
 *     const inTurn = takeTurns("Postgres");
 *     const page = await inTurn(address, deadlineIn(4_500), () => store.list(request));
 */
import type { Deadline } from "./deadline.ts";
import { unavailable } from "./errors.ts";

/** Calls of one client that may wait. */
const MAX_WAITING = 1_000;

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
		const begin = () => (deadline.isOver() ? Promise.reject(unavailable(what)) : deadline.bound(work(), what));
		const turn = queue.last.then(begin);
		queue.last = turn
			.catch(() => {})
			.then(() => {
				if (--queue.calls === 0) queues.delete(key);
			});
		return deadline.bound(turn, what);
	};
}
