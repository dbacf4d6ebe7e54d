// Items that are not acknowledged yet: stored, and sent again under the same id until the server accepts or refuses them.
import { freshId } from "./id.js";
import { backoffMs, Refused, spreadMs } from "./retry.js";

/**
 * @template {{ id: string, addedAtMs: number }} Item
 * @param {object} options
 * @param {ReturnType<typeof import("./store.js").openStore>} options.store
 * @param {(item: Item) => Promise<unknown>} options.send rejects with `Refused` (final) or `Unavailable` (to be sent again)
 * @param {number} options.concurrency requests in flight at once
 * @param {number} options.limit maximum number of unsent items
 * @param {(item: Item, refusal?: Refused) => void} options.onSettled the item was acknowledged or refused
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

	/** `Retry-After` of the server always holds; the own backoff ends as soon as the server can be reached again. */
	function pause({ retryAfterMs }) {
		isFailing = true;
		const nowMs = Date.now();
		if (retryAfterMs !== undefined) retryAfterUntilMs = Math.max(retryAfterUntilMs, nowMs + spreadMs(retryAfterMs));
		// Requests that were in flight together fail together: they count as one failure.
		else if (nowMs >= backoffUntilMs) backoffUntilMs = nowMs + backoffMs(failures++);
	}

	function settle(item, refusal) {
		waiting.delete(item.id);
		store.remove(item.id);
		if (!stopped) onSettled(item, refusal);
	}

	const changed = () => stopped || onChange();

	// Another tab has settled an item.
	const stopListening = store.onRemoved(id => waiting.delete(id) && changed());

	return {
		/** Gives the item an id, stores it and sends it. Returns false and does nothing if the outbox is full. */
		add: content => {
			if (waiting.size >= limit) return false;
			const item = { ...content, id: freshId(), addedAtMs: Date.now() };
			waiting.set(item.id, item);
			store.save(item);
			changed();
			pump();
			return true;
		},
		/** The server can be reached: sends the waiting items without further backoff, also those that a closed tab has left in the store. */
		resume: () => {
			for (const item of store.load()) if (waiting.size < limit && !waiting.has(item.id)) waiting.set(item.id, item);
			failures = 0;
			backoffUntilMs = 0;
			changed();
			pump();
		},
		/** Stops without further callbacks: requests in flight are completed, waiting items stay in the store. */
		stop: () => {
			stopped = true;
			clearTimeout(timer);
			stopListening();
		},
		/** All unsent items, the oldest first. */
		waiting: () => [...waiting.values()],
		/** Whether the last attempt failed. */
		isFailing: () => isFailing
	};
}
