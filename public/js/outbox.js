// What was not acknowledged yet: kept, and sent again under the same id until the server has said yes or no.
import { freshId } from "./id.js";
import { backoffMs, Refused, spreadMs } from "./retry.js";

/**
 * @template {{ id: string, addedAtMs: number }} Item
 * @param {object} options
 * @param {ReturnType<typeof import("./store.js").openStore>} options.store
 * @param {(item: Item) => Promise<unknown>} options.send rejects with `Refused` (final) or `Unavailable` (to be sent again)
 * @param {number} options.concurrency items under way at once
 * @param {number} options.limit items kept at most
 * @param {(item: Item, refusal?: Refused) => void} options.onSettled acknowledged, or refused
 * @param {() => void} options.onChange
 */
export function createOutbox({ store, send, concurrency, limit, onSettled, onChange }) {
	/** @type {Map<string, Item>} */
	const waiting = new Map();
	const inFlight = new Set();
	let failures = 0;
	let isFailing = false;
	let backoffUntilMs = 0;
	let retryAfterUntilMs = 0;
	let timer;
	let stopped = false;

	function pump() {
		clearTimeout(timer);
		if (stopped) return;
		const restMs = Math.max(backoffUntilMs, retryAfterUntilMs) - Date.now();
		if (restMs > 0) {
			timer = setTimeout(pump, restMs);
			return;
		}
		for (const item of waiting.values()) {
			if (inFlight.size >= concurrency) return;
			if (!inFlight.has(item.id)) void attempt(item);
		}
	}

	async function attempt(item) {
		inFlight.add(item.id);
		try {
			await send(item);
			failures = 0;
			isFailing = false;
			settle(item);
		} catch (error) {
			if (error instanceof Refused) settle(item, error);
			else pause(error);
		} finally {
			inFlight.delete(item.id);
			changed();
			pump();
		}
	}

	/** The server's word about when to come back stands until then; our own caution ends when it can be reached again. */
	function pause({ retryAfterMs }) {
		isFailing = true;
		const nowMs = Date.now();
		if (retryAfterMs !== undefined) retryAfterUntilMs = Math.max(retryAfterUntilMs, nowMs + spreadMs(retryAfterMs));
		// Those that were under way together fail together, and count as one failure.
		else if (nowMs >= backoffUntilMs) backoffUntilMs = nowMs + backoffMs(failures++);
	}

	function settle(item, refusal) {
		waiting.delete(item.id);
		store.remove(item.id);
		if (!stopped) onSettled(item, refusal);
	}

	const changed = () => stopped || onChange();

	// Another tab has brought an item to its end.
	const stopListening = store.onRemoved(id => waiting.delete(id) && changed());

	return {
		/** Gives what is to be sent its id, keeps it and sends it. Answers false, and does nothing, when too much waits already. */
		add: content => {
			if (waiting.size >= limit) return false;
			const item = { ...content, id: freshId(), addedAtMs: Date.now() };
			waiting.set(item.id, item);
			store.save(item);
			changed();
			pump();
			return true;
		},
		/** The server can be reached: what waits is sent without further backoff, and so is what a tab that is gone by now has left behind. */
		resume: () => {
			for (const item of store.load()) if (waiting.size < limit && !waiting.has(item.id)) waiting.set(item.id, item);
			failures = 0;
			backoffUntilMs = 0;
			changed();
			pump();
		},
		/** For good, and without another word: what is under way is still brought to its end, what waits stays in the store. */
		stop: () => {
			stopped = true;
			clearTimeout(timer);
			stopListening();
		},
		/** All that waits, the oldest first. */
		waiting: () => [...waiting.values()],
		/** Whether the last attempt failed. */
		isFailing: () => isFailing
	};
}
