// Sends a purchase over the WebSocket and waits for its answer.
import { FINAL, Refused, Unavailable } from "./retry.js";

const ANSWER_MS = 10_000;

/**
 * One purchase is in flight at a time, so that purchases are made in the order in which the user asked for them.
 * @param {(frame: object) => boolean} sendFrame returns false if the connection is not open
 */
export function createPurchases(sendFrame) {
	/** @type {{ id: string, timer: number, resolve: () => void, reject: (error: Error) => void } | undefined} */
	let inFlight;

	function settle(error) {
		if (!inFlight) return;
		const { timer, resolve, reject } = inFlight;
		inFlight = undefined;
		clearTimeout(timer);
		if (error) reject(error);
		else resolve();
	}

	return {
		/** Resolves once the purchase is committed; rejects with `Refused` or `Unavailable`. */
		send: async purchase => {
			if (inFlight || !sendFrame(purchase)) throw new Unavailable("not connected");
			const { promise, resolve, reject } = Promise.withResolvers();
			inFlight = { id: purchase.id, timer: setTimeout(() => settle(new Unavailable("no answer")), ANSWER_MS), resolve, reject };
			return promise;
		},
		answered: ({ id }) => {
			if (inFlight?.id === id) settle();
		},
		/** Handles an error frame: it belongs to the purchase in flight if it has that purchase's id or no id. */
		failed: ({ id, type, message, field }) => {
			if (id !== undefined && id !== inFlight?.id) return;
			settle(FINAL.has(type) ? new Refused(message, [{ field, message }], type) : new Unavailable(message));
		},
		/** The connection is lost: the answer will not arrive. */
		lost: () => settle(new Unavailable("connection lost"))
	};
}
