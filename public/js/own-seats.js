// The seats of one account: open holds, and what was bought in this browser (the API lists only open holds).
import { createHoldStore } from "./hold-store.js";
import { createLiveList, readList } from "./live-list.js";
import { Refused } from "./retry.js";
import { openStore } from "./store.js";

const pathOf = (holdId, rest = "") => `/api/holds/${encodeURIComponent(holdId)}${rest}`;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {ReturnType<typeof import("./requests.js").openRequests>} options.requests
 * @param {(hold: { holdId: string, showId: string, seats: string[] }) => void} options.onExpired
 * @param {() => void} options.onChange
 * @param {(text: string) => void} options.showProblem
 */
export function createOwnSeats({ who, requests: { get, untilDone }, onExpired, onChange, showProblem }) {
	const store = createHoldStore({ onExpired, onChange });
	const tickets = openStore(`plaza/${encodeURIComponent(who.id)}/tickets/`);
	/** The list may lack them already, before the answer is here. */
	const confirming = new Set();
	const list = createLiveList({
		read: () => readList(get, "/api/holds?", ({ holdId }) => holdId, Number.POSITIVE_INFINITY),
		show: ({ items }) => store.read([...items, ...confirming]),
		showProblem
	});
	const readAgain = () => {
		if (who.role !== undefined) void list.readAgain();
	};

	return {
		readAgain,
		holds: store.list,
		/** Whether the account holds this seat. */
		isHeld: store.hasSeat,
		/** What was bought, the newest first. */
		tickets: () => tickets.load().toReversed(),
		put: hold => list.apply(() => store.put(hold)),
		/** The server reports the end of a hold. */
		expire: hold => list.apply(() => store.expire(hold)),
		/** Buys the seats of a hold. Resolves to false if the hold has expired; rejects with `Refused`. */
		confirm: async hold => {
			confirming.add(hold);
			try {
				const { holdId, showId, seats } = await untilDone("POST", pathOf(hold.holdId, "/confirm"));
				tickets.save({ id: holdId, addedAtMs: Date.now(), holdId, showId, seats, total: hold.total });
				store.remove(hold);
				return true;
			} catch (error) {
				if (error.type === "HOLD_EXPIRED") {
					store.expire(hold);
					return false;
				}
				if (error instanceof Refused) readAgain();
				throw error;
			} finally {
				confirming.delete(hold);
			}
		},
		/** Gives the seats of a hold back. Rejects with `Refused`. */
		release: async hold => {
			try {
				await untilDone("DELETE", pathOf(hold.holdId));
				store.remove(hold);
			} catch (error) {
				// Bought meanwhile, in another tab.
				if (error.type === "CONFLICT") readAgain();
				throw error;
			}
		},
		close: list.close
	};
}
