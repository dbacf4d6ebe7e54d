// Sends a purchase over the socket and waits for its answer.
import { FINAL, Refused, Unavailable } from "./retry.js";

const ANSWER_MS = 10_000;

/**
 * One purchase is under way at a time, so that they are bought in the order in which they were asked for.
 * @param {(frame: object) => boolean} sendFrame false where there is no connection
 */
export function createPurchases(sendFrame) {
	/** @type {{ id: string, timer: number, resolve: () => void, reject: (error: Error) => void } | undefined} */
	let underWay;

	function settle(error) {
		if (!underWay) return;
		const { timer, resolve, reject } = underWay;
		underWay = undefined;
		clearTimeout(timer);
		if (error) reject(error);
		else resolve();
	}

	return {
		/** Resolves once the purchase is committed; rejects with `Refused` or `Unavailable`. */
		send: async purchase => {
			if (underWay || !sendFrame(purchase)) throw new Unavailable("not connected");
			const { promise, resolve, reject } = Promise.withResolvers();
			underWay = { id: purchase.id, timer: setTimeout(() => settle(new Unavailable("no answer")), ANSWER_MS), resolve, reject };
			return promise;
		},
		answered: ({ id }) => {
			if (underWay?.id === id) settle();
		},
		/** Takes an error frame. It carries the id of the purchase it answers; one that names none is taken for its own too. */
		failed: ({ id, type, message, field }) => {
			if (id !== undefined && id !== underWay?.id) return;
			settle(FINAL.has(type) ? new Refused(message, [{ field, message }], type) : new Unavailable(message));
		},
		/** The connection is gone, and with it the answer that was under way. */
		lost: () => settle(new Unavailable("connection lost"))
	};
}
