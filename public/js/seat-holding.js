// Turns a pick into a hold. What others take meanwhile leaves the pick; the rest stays picked.
import { Refused } from "./retry.js";
import { notEnoughText, refusalText, takenText } from "./seat-words.js";

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./seat-pick.js").createPick>} options.pick
 * @param {(text: string) => void} options.showProblem
 * @param {() => void} options.onNotAdmitted the server refused because the user is not admitted
 * @param {(hold: { holdId: string, seats: string[] }) => void} options.onHeld
 */
export function createHolding({ pick, showProblem, onNotAdmitted, onHeld }) {
	let sending = new Set();

	function dropTaken(taken) {
		const dropped = pick.remove(taken);
		if (dropped.length > 0) showProblem(takenText(dropped, pick.names().length > 0));
	}

	function refuse({ type, message, data }, session) {
		if (type === "SEATS_TAKEN" && data?.taken?.length > 0) {
			dropTaken(data.taken);
			showProblem(takenText(data.taken, pick.names().length > 0));
		} else if (type === "SEATS_TAKEN") showProblem("Others were faster. Try once more.");
		else if (type === "NOT_ENOUGH_SEATS" && data) showProblem(notEnoughText(data.available));
		else showProblem(refusalText({ type, message }));
		if (type === "SEATS_TAKEN") session.readSeatsIfOld();
		if (type === "TOO_MANY_HOLDS") session.own.readAgain();
		if (type === "NOT_ADMITTED") onNotAdmitted();
	}

	return {
		/** Whether the answer about this seat is under way: until then it is not somebody else's. */
		isSending: name => sending.has(name),
		dropTaken,
		/**
		 * @param {ReturnType<typeof import("./seats-session.js").openSeatsSession>} session
		 * @param {string} showId
		 * @param {{ seats: string[] } | { best: { count: number, category?: string } }} wanted
		 */
		hold: async (session, showId, wanted) => {
			sending = new Set(wanted.seats);
			try {
				const hold = await session.hold(showId, wanted);
				pick.remove(hold.seats);
				onHeld(hold);
			} catch (error) {
				// Any other error: the session was closed meanwhile.
				if (error instanceof Refused) refuse(error, session);
			} finally {
				sending = new Set();
			}
		}
	};
}
